type Candidate = { readonly word: string; readonly about: string }

/** A command, and what may follow it. */
export type Spot = {
  /** Its words after `patchbay`; none for the program itself. */
  readonly words: readonly string[]
  readonly commands: readonly Candidate[]
  readonly options: readonly Candidate[]
  readonly values: readonly { readonly option: string; readonly choices: readonly string[] }[]
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
const nameOf = ({ words }: Spot): string => words.join(' ')
/** Lines of a `case` of bash and zsh. */
const cases = (rows: readonly (readonly [string, string])[]): string =>
  rows.map(([pattern, action]) => `    ${pattern}) ${action} ;;`).join('\n')

const valueRows = (spots: readonly Spot[], set: (choices: readonly string[]) => string) =>
  spots.flatMap((spot) =>
    spot.values.map(({ option, choices }): [string, string] => [quoted(`${nameOf(spot)} ${option}`), set(choices)]),
  )

/** Finds in `at` the command that the words so far name; the same in both shells. */
const findCommand = (spots: readonly Spot[], words: string): string => `  for word in ${words}; do
    case "\${at:+$at }$word" in
      ${spots.flatMap((spot) => (spot.words.length === 0 ? [] : [quoted(nameOf(spot))])).join('|')}) at="\${at:+$at }$word" ;;
    esac
  done`

export function bashScript(spots: readonly Spot[]): string {
  const words = ({ commands, options }: Spot) => [...commands, ...options].map(({ word }) => word).join(' ')
  return `# bash completion of patchbay
_patchbay() {
  local at='' words='' word cur="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
${findCommand(spots, `"\${COMP_WORDS[@]:1:COMP_CWORD-1}"`)}
  case "$at $previous" in
${cases([
  ...valueRows(spots, (choices) => `words=${quoted(choices.join(' '))}`),
  [
    '*',
    `case "$at" in\n${cases(spots.map((spot) => [quoted(nameOf(spot)), `words=${quoted(words(spot))}`]))}\n    esac`,
  ],
])}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _patchbay patchbay
`
}

export function zshScript(spots: readonly Spot[]): string {
  const entry = ({ word, about }: Candidate) => quoted(`${word}:${about.replaceAll(':', '\\:')}`)
  const entries = ({ commands, options }: Spot) => `entries=(${[...commands, ...options].map(entry).join(' ')})`
  return `#compdef patchbay
# zsh completion of patchbay
_patchbay() {
  local at='' word previous="\${words[CURRENT-1]}"
  local -a entries
${findCommand(spots, `"\${(@)words[2,CURRENT-1]}"`)}
  case "$at $previous" in
${cases([
  ...valueRows(spots, (choices) => `entries=(${choices.map(quoted).join(' ')})`),
  ['*', `case "$at" in\n${cases(spots.map((spot) => [quoted(nameOf(spot)), entries(spot)]))}\n    esac`],
])}
  esac
  _describe 'patchbay' entries
}
compdef _patchbay patchbay
`
}

export function fishScript(spots: readonly Spot[]): string {
  const lines = spots.flatMap((spot) => {
    const { words, commands, options, values } = spot
    const below = commands.map(({ word }) => word).join(' ')
    const seen = words.map((word) => `__fish_seen_subcommand_from ${word}`)
    const notDeeper = below === '' ? [] : [`not __fish_seen_subcommand_from ${below}`]
    const condition = quoted([...seen, ...notDeeper].join('; and ') || 'true')
    const choicesOf = (word: string) => values.find(({ option }) => option === word)?.choices
    return [
      ...commands.map(({ word, about }) => `complete -c patchbay -f -n ${condition} -a ${word} -d ${quoted(about)}`),
      ...options.map(({ word, about }) => {
        const choices = choicesOf(word)
        const argument = choices === undefined ? '' : ` -x -a ${quoted(choices.join(' '))}`
        return `complete -c patchbay -n ${condition} -l ${word.slice(2)}${argument} -d ${quoted(about)}`
      }),
    ]
  })
  return `# fish completion of patchbay\n${lines.join('\n')}\n`
}
