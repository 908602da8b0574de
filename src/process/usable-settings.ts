import { createCatalog } from '../composition/compose-catalog.ts'
import { readSettings, type Settings, SettingsError } from '../config/settings.ts'
import { parseAllowList } from '../egress/allow-list.ts'
import { PresetsError } from '../presets/presets-error.ts'
import { parseKeyring } from '../vault/keyring.ts'

type Env = Readonly<Record<string, string | undefined>>

/**
 * Reads the settings for a process that is going to serve, and tries out those that have a reader of their own (keys, presets,
 * destinations), so that everything that is wrong is reported at once and before anything starts.
 *
 * @throws SettingsError with every problem
 */
export function readUsableSettings(env: Env): Settings {
  const problems: string[] = []
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read()
    } catch (error) {
      problems.push(...problemsOf(error))
      return undefined
    }
  }
  const given = (name: string): string | undefined => env[name]?.trim() || undefined

  const settings = attempt(() => readSettings(env))
  const keys = given('ENCRYPTION_KEYS')
  if (keys !== undefined) attempt(() => parseKeyring(keys))
  const allowed = given('EGRESS_ALLOW')?.split(',') ?? []
  for (const entry of allowed.map((text) => text.trim()).filter((text) => text !== '')) {
    attempt(() => parseAllowList([entry], new Set()))
  }
  attempt(() =>
    createCatalog(
      {
        PRESETS_DIR: given('PRESETS_DIR'),
        CONNECTOR__PRESETS: given('CONNECTOR__PRESETS'),
        // judged by readSettings
        PRESETS_MODE: given('PRESETS_MODE') === 'extend' ? 'extend' : 'replace',
      },
      env,
    ),
  )
  if (settings === undefined || problems.length > 0) throw new SettingsError(problems)
  return settings
}

function problemsOf(error: unknown): readonly string[] {
  if (error instanceof SettingsError) return error.problems
  if (error instanceof PresetsError) {
    return error.mistakes.map(({ file, line, reason }) => `${file}${line === undefined ? '' : `:${line}`}: ${reason}`)
  }
  if (error instanceof Error) return [error.message]
  throw error
}
