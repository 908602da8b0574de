import type { Command } from 'commander'

/** `patchbay start`, which is what `npm start` runs. */
export function addStartCommand(program: Command): void {
  program
    .command('start')
    .description('run everything on this machine: database, API, worker and sandbox')
    .action(async () => {
      const { runStart } = await import('./run-start.ts')
      await runStart()
    })
}
