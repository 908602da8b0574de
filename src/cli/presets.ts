import type { Command } from 'commander'
import type { PresetCatalog } from '../presets/match-preset.ts'
import type { Preset } from '../presets/preset.ts'
import { columns } from './columns.ts'

/** `patchbay presets lint | list | match | repin` */
export function addPresetCommands(program: Command): void {
  const presets = program.command('presets').description('the catalog of known servers')

  presets
    .command('lint [paths...]')
    .description('find mistakes in preset files, or, without paths, in the presets of this configuration')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nNeeds no database. Exits with 1 and the file, the line and the reason of each mistake.')
    .action(async (paths: string[], { json = false }: { json?: boolean }) => {
      const { lintPresets } = await import('../presets/load-presets.ts')
      const count = paths.length > 0 ? lintPresets(paths) : (await openCatalog()).all.length
      console.log(json ? JSON.stringify({ presets: count }) : `${count} preset${count === 1 ? '' : 's'}, no mistake.`)
    })

  presets
    .command('list')
    .description('the presets of this configuration')
    .option('--json', 'print JSON')
    .action(async ({ json = false }: { json?: boolean }) => {
      const { all } = await openCatalog()
      if (json) console.log(JSON.stringify(all.map(shown), null, 2))
      else console.log(columns([['id', 'name', 'auth', 'verified', 'url'], ...all.map(row)]))
    })

  presets
    .command('match <url>')
    .description('the preset that a connector with this URL gets')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExits with 1 when there is none.')
    .action(async (url: string, { json = false }: { json?: boolean }) => {
      const { parseResourceUrl } = await import('../kernel/resource-url.ts')
      const preset = (await openCatalog()).match(parseResourceUrl(url))
      if (preset === undefined) {
        console.log(
          json ? 'null' : 'No preset has this URL. Spelling counts: only case, a default port and a last slash do not.',
        )
        process.exitCode = 1
      } else console.log(json ? JSON.stringify(shown(preset), null, 2) : described(preset))
    })

  presets
    .command('repin <id>')
    .description("accept that a preset's server has moved to another authorization server")
    .option('--json', 'print JSON')
    .action(async (id: string, { json = false }: { json?: boolean }) => {
      const { withApp } = await import('./open-app.ts')
      await withApp(async (app) => {
        const preset = app.presets.byId(id)
        if (preset === undefined) throw new Error(`There is no preset "${id}".`)
        if (preset.issuer !== undefined) throw new Error(`The preset "${id}" names its issuer itself: ${preset.issuer}`)
        const { recordAct } = await import('./record-act.ts')
        const act = { action: 'repinPreset', targetType: 'preset', targetId: id }
        const isForgotten = await recordAct(act, () => app.presetPins.unpin(id))
        const sentence = isForgotten ? 'The next connect pins the issuer anew.' : 'Nothing is pinned yet.'
        console.log(json ? JSON.stringify({ id, unpinned: isForgotten }) : sentence)
      })
    })
}

/** The catalog as the processes of this configuration have it. */
async function openCatalog(): Promise<PresetCatalog> {
  const [{ readSettings }, { createCatalog }] = await Promise.all([
    import('../config/settings.ts'),
    import('../composition/compose-catalog.ts'),
  ])
  return createCatalog(readSettings(process.env), process.env)
}

const row = ({ id, url, metadata, auth, verified }: Preset): string[] => [
  id,
  metadata.name ?? '',
  auth?.type ?? '',
  verified,
  url.href,
]

/** What may be shown: that there is a secret, never which. */
function shown({ id, url, metadata, auth, clientId, clientSecret, issuer, scopes, source, verified }: Preset) {
  return {
    id,
    url: url.href,
    metadata,
    auth: auth ?? null,
    client_id: clientId ?? null,
    has_client_secret: clientSecret !== undefined,
    issuer: issuer ?? null,
    scopes: scopes ?? null,
    source: source ?? null,
    verified,
  }
}

function described(preset: Preset): string {
  const { id, url, metadata, auth, clientId, clientSecret, source } = preset
  const client =
    clientId === undefined
      ? auth?.client === 'needed'
        ? 'none; make one at the authorization server'
        : 'none; found or registered when connecting'
      : `${clientId} (${clientSecret === undefined ? 'without' : 'with'} a secret)`
  const lines = [
    ['preset', id],
    ['name', metadata.name ?? ''],
    ['about', metadata.description ?? ''],
    ['url', url.href],
    ['auth', auth?.type ?? 'not known'],
    ['client', client],
    ['source', source === undefined ? 'this configuration' : `${source.document} (${source.date})`],
  ]
  return columns(lines)
}
