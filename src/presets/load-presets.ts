import { createHash } from 'node:crypto'
import { Secret } from '../kernel/secret.ts'
import type { Preset } from './preset.ts'
import { type Mistake, PresetsError } from './presets-error.ts'
import { type PresetEntry, readPresetFile, readPresetFolder, readPresetSetting } from './read-entries.ts'

/** Looks up an environment variable by its name, for `client_secret_env`. */
export type ReadSecret = (name: string) => string | undefined

export type LoadPresetsInput = {
  /** The folder of the `*.yaml` files that come with the program. */
  readonly directory: string
  /** PRESETS_DIR: a folder of the operator's, which adds to them. */
  readonly extraDirectory?: string | undefined
  /** The text of CONNECTOR__PRESETS: a JSON array of entries. */
  readonly json?: string | undefined
  /** PRESETS_MODE: whether that array stands in place of the files that come with the program, or adds to them. */
  readonly mode?: 'replace' | 'extend' | undefined
  readonly readSecret: ReadSecret
}

type Placed = { readonly preset: Preset; readonly place: PresetEntry['place'] }

/**
 * Reads the catalog in layers: the files that come with the program, those of PRESETS_DIR, and CONNECTOR__PRESETS. An entry
 * takes the place of one in a lower layer that has its URL or its id; what it leaves out of the same URL's entry stays.
 *
 * @returns presets in the order of their files' names, then of the array
 * @throws PresetsError with every mistake: file, line and reason
 */
export function loadPresets(input: LoadPresetsInput): readonly Preset[] {
  const { directory, extraDirectory, json, mode = 'replace', readSecret } = input
  const mistakes: Mistake[] = []
  const isBuiltInUsed = json === undefined || mode === 'extend'
  const layers = [
    isBuiltInUsed ? readPresetFolder(directory, mistakes) : [],
    extraDirectory === undefined ? [] : readPresetFolder(extraDirectory, mistakes),
    json === undefined ? [] : readPresetSetting(json, mistakes),
  ]
  const presets = layers.reduce<readonly Preset[]>((lower, entries) => {
    const layer = entries.map((entry) => ({ preset: toPreset(entry, lower, readSecret, mistakes), place: entry.place }))
    refuseTwins(layer, mistakes)
    return withLayer(
      lower,
      layer.map(({ preset }) => preset),
    )
  }, [])
  if (mistakes.length > 0) throw new PresetsError(mistakes)
  return presets
}

/**
 * Judges preset files by themselves: environment variables need not be set.
 *
 * @param paths files, or folders of them
 * @returns how many presets there are
 * @throws PresetsError with every mistake: file, line and reason
 */
export function lintPresets(paths: readonly string[]): number {
  const mistakes: Mistake[] = []
  const entries = paths.flatMap((path) =>
    /\.ya?ml$/.test(path) ? readPresetFile(path, mistakes) : readPresetFolder(path, mistakes),
  )
  const placed = entries.map((entry) => ({ preset: toPreset(entry, [], () => 'set', mistakes), place: entry.place }))
  refuseTwins(placed, mistakes)
  if (mistakes.length > 0) throw new PresetsError(mistakes)
  return placed.length
}

function withLayer(lower: readonly Preset[], layer: readonly Preset[]): readonly Preset[] {
  const ids = new Set(layer.map(({ id }) => id))
  const keys = new Set(layer.map(({ url }) => url.key))
  return [...lower.filter(({ id, url }) => !ids.has(id) && !keys.has(url.key)), ...layer]
}

function toPreset(
  { raw, place }: PresetEntry,
  lower: readonly Preset[],
  readSecret: ReadSecret,
  mistakes: Mistake[],
): Preset {
  const base = lower.find(({ url }) => url.key === raw.url.key)
  const variable = raw.client_secret_env
  const secret = variable === undefined ? raw.client_secret : readSecret(variable)
  if (variable !== undefined && (secret === undefined || secret === '')) {
    mistakes.push({ ...place('client_secret_env'), reason: `the environment variable ${variable} is not set` })
  }
  const ownSecret = secret === undefined ? undefined : new Secret(secret)
  return {
    id: raw.id ?? base?.id ?? idFromUrl(raw.url.key),
    url: raw.url,
    metadata: raw.metadata ?? base?.metadata ?? {},
    auth: raw.auth ?? base?.auth,
    clientId: raw.client_id ?? base?.clientId,
    // a secret goes with the client it belongs to
    clientSecret: raw.client_id === undefined ? base?.clientSecret : ownSecret,
    issuer: raw.issuer ?? base?.issuer,
    scopes: raw.scopes ?? base?.scopes,
    quirks: raw.quirks === undefined && base !== undefined ? base.quirks : toQuirks(raw.quirks),
    source: raw.source ?? base?.source,
    verified: raw.verified ?? base?.verified ?? 'none',
  }
}

function toQuirks(raw: PresetEntry['raw']['quirks']): Preset['quirks'] {
  return {
    omitResource: raw?.omit_resource ?? false,
    isPkceUnlisted: raw?.pkce_unlisted ?? false,
    issuerAlias: raw?.issuer_alias,
    authorizeParameters: raw?.authorize_parameters ?? {},
  }
}

/** An id that stays the same for as long as the URL does: readable first, unmistakable after. */
function idFromUrl(key: string): string {
  const readable = new URL(key).hostname
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 48)
  return `${readable.replace(/-$/, '')}-${createHash('sha256').update(key).digest('hex').slice(0, 8)}`
}

function refuseTwins(placed: readonly Placed[], mistakes: Mistake[]): void {
  const ids = new Set<string>()
  const keys = new Set<string>()
  for (const { preset, place } of placed) {
    // Ids that were derived from the URL are the same when the URL is.
    if (keys.has(preset.url.key)) mistakes.push({ ...place('url'), reason: 'url: another preset has the same one' })
    else if (ids.has(preset.id)) mistakes.push({ ...place('id'), reason: 'id: another preset has the same one' })
    ids.add(preset.id)
    keys.add(preset.url.key)
  }
}
