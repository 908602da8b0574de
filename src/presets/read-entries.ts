import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { z } from 'zod'
import { type LocatedDocument, readJson, readYaml } from './located-document.ts'
import { presetEntrySchema, presetFileSchema } from './preset-schema.ts'
import { type Mistake, mistakesOf } from './presets-error.ts'

const settingName = 'CONNECTOR__PRESETS'

/** An entry as it was written, with the place that a later mistake is to be reported at. */
export type PresetEntry = {
  readonly raw: z.output<typeof presetEntrySchema>
  readonly place: (...path: PropertyKey[]) => Omit<Mistake, 'reason'>
}

/** Reads one preset file: `<id>.yaml`. Adds what is wrong to `mistakes`. */
export function readPresetFile(file: string, mistakes: Mistake[]): PresetEntry[] {
  if (!file.endsWith('.yaml')) {
    mistakes.push({ file, line: undefined, reason: 'the name must end in .yaml' })
    return []
  }
  const document = readYaml(file, readFileSync(file, 'utf8'))
  mistakes.push(...document.mistakes)
  if (document.mistakes.length > 0) return []
  const result = presetFileSchema.safeParse(document.value)
  if (!result.success) {
    mistakes.push(...mistakesOf(result.error, file, document.lineOf, []))
    return []
  }
  const place = placeIn(file, document, [])
  if (result.data.id !== basename(file, '.yaml')) {
    mistakes.push({ ...place('id'), reason: 'id: must be the name of the file without .yaml' })
  }
  return [{ raw: result.data, place }]
}

/** Reads the `*.yaml` files of a folder in the order of their names. Adds what is wrong to `mistakes`. */
export function readPresetFolder(folder: string, mistakes: Mistake[]): PresetEntry[] {
  const names = namesIn(folder)
  if (names === null) mistakes.push({ file: folder, line: undefined, reason: 'there is no such folder' })
  return (names ?? [])
    .filter((name) => !name.startsWith('.') && /\.ya?ml$/.test(name))
    .sort()
    .flatMap((name) => readPresetFile(join(folder, name), mistakes))
}

/** Reads the JSON array of CONNECTOR__PRESETS. Adds what is wrong to `mistakes`. */
export function readPresetSetting(json: string, mistakes: Mistake[]): PresetEntry[] {
  const document = readJson(settingName, json)
  mistakes.push(...document.mistakes)
  if (document.mistakes.length > 0) return []
  if (!Array.isArray(document.value)) {
    mistakes.push({ file: settingName, line: 1, reason: 'must be a JSON array' })
    return []
  }
  return document.value.flatMap((value, index): PresetEntry[] => {
    const result = presetEntrySchema.safeParse(withoutNulls(value))
    if (result.success) return [{ raw: result.data, place: placeIn(settingName, document, [index]) }]
    mistakes.push(...mistakesOf(result.error, settingName, document.lineOf, [index]))
    return []
  })
}

function namesIn(folder: string): string[] | null {
  try {
    return readdirSync(folder)
  } catch {
    return null
  }
}

/** Agent Stack's clients write absent fields as null. */
function withoutNulls(entry: unknown): unknown {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return entry
  return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== null))
}

function placeIn(file: string, document: LocatedDocument, base: readonly PropertyKey[]): PresetEntry['place'] {
  return (...path) => ({ file, line: document.lineOf([...base, ...path]) })
}
