import type { Command, Option } from 'commander'
import { bashScript, fishScript, type Spot, zshScript } from './completion-scripts.ts'

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript }
type Shell = keyof typeof scripts

/** `patchbay completion bash | zsh | fish` */
export function addCompletionCommand(program: Command): void {
  program
    .command('completion')
    .description('print what makes your shell complete these commands')
    .argument('<shell>', Object.keys(scripts).join(', '))
    .addHelpText(
      'after',
      `
  bash  echo 'source <(patchbay completion bash)' >> ~/.bashrc
  zsh   echo 'source <(patchbay completion zsh)' >> ~/.zshrc    (after compinit)
  fish  patchbay completion fish > ~/.config/fish/completions/patchbay.fish`,
    )
    .action((shell: string) => {
      if (!Object.hasOwn(scripts, shell)) throw new Error(`No "${shell}" here: bash, zsh or fish.`)
      process.stdout.write(scripts[shell as Shell](readSpots(program)))
    })
}

/** Every place in the tree of commands where something can be completed. */
function readSpots(command: Command, words: readonly string[] = []): Spot[] {
  const commands = command.commands.map((sub) => ({ word: sub.name(), about: sub.description() }))
  const options = command.options.flatMap(({ long, description }) =>
    long == null ? [] : [{ word: long, about: description }],
  )
  const values = command.options.flatMap(({ long, argChoices }: Option) =>
    long == null || argChoices === undefined ? [] : [{ option: long, choices: argChoices }],
  )
  const help = { word: '--help', about: 'what this does' }
  return [
    { words, commands, options: [...options, help], values },
    ...command.commands.flatMap((sub) => readSpots(sub, [...words, sub.name()])),
  ]
}
