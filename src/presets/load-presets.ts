import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { z } from 'zod'
import { Secret } from '../kernel/secret.ts'
import { type LocatedDocument, readJson, readYaml } from './located-document.ts'
import type { Preset } from './preset.ts'
import { presetEntrySchema, presetFileSchema } from './preset-schema.ts'
import { type Mistake, mistakesOf, PresetsError } from './presets-error.ts'

const settingName = 'CONNECTOR__PRESETS'

export type LoadPresetsInput = {
  /** The folder of the `*.yaml` files. */
  readonly directory: string
  /** The text of CONNECTOR__PRESETS: a JSON array of entries that replaces the files. */
  readonly json?: string | undefined
  /** Looks up an environment variable by its name, for `client_secret_env`. */
  readonly readSecret: (name: string) => string | undefined
}

/** A preset with the place that a later mistake is to be reported at. */
type Placed = { readonly preset: Preset; readonly place: (...path: PropertyKey[]) => Omit<Mistake, 'reason'> }
type Raw = z.output<typeof presetEntrySchema>

/**
 * Reads the catalog: the files of a folder, or the JSON array that replaces them.
 *
 * @returns presets in the order of their files' names, or of the array
 * @throws PresetsError with every mistake: file, line and reason
 */
export function loadPresets({ directory, json, readSecret }: LoadPresetsInput): readonly Preset[] {
  const mistakes: Mistake[] = []
  const placed =
    json === undefined ? readFiles(directory, readSecret, mistakes) : readSetting(json, readSecret, mistakes)
  refuseTwins(placed, mistakes)
  if (mistakes.length > 0) throw new PresetsError(mistakes)
  return placed.map(({ preset }) => preset)
}

function readFiles(directory: string, readSecret: LoadPresetsInput['readSecret'], mistakes: Mistake[]): Placed[] {
  const placed: Placed[] = []
  for (const name of readdirSync(directory).sort()) {
    const file = join(directory, name)
    if (name.endsWith('.yml')) mistakes.push({ file, line: undefined, reason: 'the name must end in .yaml' })
    if (!name.endsWith('.yaml') || name.startsWith('.')) continue
    const document = readYaml(file, readFileSync(file, 'utf8'))
    mistakes.push(...document.mistakes)
    if (document.mistakes.length > 0) continue
    const result = presetFileSchema.safeParse(document.value)
    if (!result.success) {
      mistakes.push(...mistakesOf(result.error, file, document.lineOf, []))
      continue
    }
    const place = placeIn(file, document, [])
    if (result.data.id !== basename(name, '.yaml')) {
      mistakes.push({ ...place('id'), reason: 'id: must be the name of the file without .yaml' })
    }
    placed.push({ preset: toPreset(result.data, readSecret, place, mistakes), place })
  }
  return placed
}

function readSetting(json: string, readSecret: LoadPresetsInput['readSecret'], mistakes: Mistake[]): Placed[] {
  const document = readJson(settingName, json)
  mistakes.push(...document.mistakes)
  if (document.mistakes.length > 0) return []
  if (!Array.isArray(document.value)) {
    mistakes.push({ file: settingName, line: 1, reason: 'must be a JSON array' })
    return []
  }
  const placed: Placed[] = []
  for (const [index, entry] of document.value.entries()) {
    const result = presetEntrySchema.safeParse(withoutNulls(entry))
    if (!result.success) {
      mistakes.push(...mistakesOf(result.error, settingName, document.lineOf, [index]))
      continue
    }
    const place = placeIn(settingName, document, [index])
    placed.push({ preset: toPreset(result.data, readSecret, place, mistakes), place })
  }
  return placed
}

/** Agent Stack's clients write absent fields as null. */
function withoutNulls(entry: unknown): unknown {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return entry
  return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== null))
}

function toPreset(
  raw: Raw,
  readSecret: LoadPresetsInput['readSecret'],
  place: Placed['place'],
  mistakes: Mistake[],
): Preset {
  const variable = raw.client_secret_env
  const secret = variable === undefined ? raw.client_secret : readSecret(variable)
  if (variable !== undefined && (secret === undefined || secret === '')) {
    mistakes.push({ ...place('client_secret_env'), reason: `the environment variable ${variable} is not set` })
  }
  return {
    id: raw.id ?? idFromUrl(raw.url.key),
    url: raw.url,
    metadata: raw.metadata ?? {},
    clientId: raw.client_id,
    clientSecret: secret === undefined ? undefined : new Secret(secret),
    issuer: raw.issuer,
    scopes: raw.scopes,
    quirks: {
      omitResource: raw.quirks?.omit_resource ?? false,
      isPkceUnlisted: raw.quirks?.pkce_unlisted ?? false,
      issuerAlias: raw.quirks?.issuer_alias,
      authorizeParameters: raw.quirks?.authorize_parameters ?? {},
    },
    source: raw.source,
    verified: raw.verified ?? 'none',
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

function placeIn(file: string, document: LocatedDocument, base: readonly PropertyKey[]): Placed['place'] {
  return (...path) => ({ file, line: document.lineOf([...base, ...path]) })
}
