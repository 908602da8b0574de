import { join } from 'node:path'
import { packageRoot } from '../config/package-root.ts'
import type { Settings } from '../config/settings.ts'
import { loadPresets } from '../presets/load-presets.ts'
import { createPresetCatalog, type PresetCatalog } from '../presets/match-preset.ts'

type PresetSettings = Pick<Settings, 'PRESETS_DIR' | 'PRESETS_MODE' | 'CONNECTOR__PRESETS'>

/**
 * The catalog that the settings ask for.
 *
 * @throws PresetsError with every mistake: file, line and reason
 */
export function createCatalog(
  settings: PresetSettings,
  env: Readonly<Record<string, string | undefined>>,
): PresetCatalog {
  return createPresetCatalog(
    loadPresets({
      directory: join(packageRoot(), 'presets'),
      extraDirectory: settings.PRESETS_DIR,
      json: settings.CONNECTOR__PRESETS,
      mode: settings.PRESETS_MODE,
      readSecret: (name) => env[name],
    }),
  )
}
