import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { packageRoot } from '../../src/config/package-root.ts'

export type CommandOutcome = { readonly exitCode: number; readonly stdout: string; readonly stderr: string }

/** Runs `patchbay <args>` as a process of its own, in a folder of its own and with this environment only. */
export function runCli(
  args: readonly string[],
  { folder, env = {} }: { readonly folder: string; readonly env?: Readonly<Record<string, string>> },
): Promise<CommandOutcome> {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
  const program = join(packageRoot(), 'src', 'cli', 'main.ts')
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--import', tsx, program, ...args],
      { cwd: folder, env: { PATH: process.env.PATH ?? '', HOME: folder, ...env }, timeout: 60_000 },
      (error, stdout, stderr) => resolve({ exitCode: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
    )
  })
}
