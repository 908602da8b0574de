import type { Command } from 'commander'

/** `patchbay presets repin` */
export function addPresetCommands(program: Command): void {
  const presets = program.command('presets').description('the catalog of known servers')

  presets
    .command('repin <id>')
    .description("accept that a preset's server has moved to another authorization server")
    .action(async (id: string) => {
      const { withApp } = await import('./open-app.ts')
      await withApp(async (app) => {
        const preset = app.presets.byId(id)
        if (preset === undefined) throw new Error(`There is no preset "${id}".`)
        if (preset.issuer !== undefined) throw new Error(`The preset "${id}" names its issuer itself: ${preset.issuer}`)
        const isForgotten = await app.presetPins.unpin(id)
        console.log(isForgotten ? 'The next connect pins the issuer anew.' : 'Nothing is pinned yet.')
      })
    })
}
