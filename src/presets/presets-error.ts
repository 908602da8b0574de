import type { z } from 'zod'

export type Mistake = {
  /** A file's path, or the name of the setting. */
  readonly file: string
  /** From 1; undefined where nothing in the text can be blamed. */
  readonly line: number | undefined
  /** What is wrong. Never quotes the text: it may hold a secret. */
  readonly reason: string
}

/** What is wrong with the presets, all of it at once. Holds no value of any preset, hence no secret. */
export class PresetsError extends Error {
  readonly mistakes: readonly Mistake[]

  constructor(mistakes: readonly Mistake[]) {
    const lines = mistakes.map(
      ({ file, line, reason }) => `  - ${file}${line === undefined ? '' : `:${line}`}: ${reason}`,
    )
    super(`The presets are not usable:\n${lines.join('\n')}`)
    this.name = 'PresetsError'
    this.mistakes = mistakes
  }
}

type LineOf = (path: readonly PropertyKey[]) => number | undefined

/** What zod found, one mistake for each field. */
export function mistakesOf(error: z.ZodError, file: string, lineOf: LineOf, base: readonly PropertyKey[]): Mistake[] {
  const at = (path: readonly PropertyKey[], message: string): Mistake => {
    const where = path.map(shown).join('.')
    return { file, line: lineOf(path), reason: where === '' ? message : `${where}: ${message}` }
  }
  return error.issues.flatMap((issue) => {
    const path = [...base, ...issue.path]
    if (issue.code !== 'unrecognized_keys') return [at(path, issue.message)]
    return issue.keys.map((key) =>
      at([...path, key], key === 'client_secret' ? secretInFile : 'there is no such field'),
    )
  })
}

const secretInFile = 'a secret must not stand in a file; name an environment variable in client_secret_env'

/** A step of a path, unless it may be a secret that was written on the wrong side of a colon. */
function shown(step: PropertyKey): string {
  return typeof step === 'number' || /^[a-z]+([_-][a-z]+)*$/i.test(String(step)) ? String(step) : '(a key)'
}
