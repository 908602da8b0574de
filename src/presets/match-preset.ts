import type { ResourceUrl } from '../kernel/resource-url.ts'
import type { Preset } from './preset.ts'

/** The presets of this process. */
export type PresetCatalog = {
  readonly all: readonly Preset[]
  byId(id: string): Preset | undefined
  /**
   * The preset for an MCP server's URL: the one with the same canonical key (case of scheme and host, default port, a
   * lone trailing slash), nothing fuzzier (security checklist MX-09).
   */
  match(url: ResourceUrl): Preset | undefined
}

export function createPresetCatalog(presets: readonly Preset[]): PresetCatalog {
  const byId = new Map(presets.map((preset) => [preset.id, preset]))
  const byKey = new Map(presets.map((preset) => [preset.url.key, preset]))
  return {
    all: presets,
    byId: (id) => byId.get(id),
    match: (url) => byKey.get(url.key),
  }
}
