// Writes the generated documents; with --check, fails when one of them is not what the code says.
import { readFileSync, writeFileSync } from 'node:fs'
import { createApp } from '../src/app.ts'
import { readSettings, type SettingEntry, settingTable } from '../src/config/settings.ts'
import { Secret } from '../src/kernel/secret.ts'
import { createLogger } from '../src/log/logger.ts'
import { dashboard } from './chart/dashboard.ts'
import { chartReadme } from './chart/readme.ts'
import { valuesSchema } from './chart/values-schema.ts'
import { clientTypes } from './client-types.ts'

const root = new URL('../', import.meta.url)

function configuration(): string {
  const cell = (text: string) => text.replaceAll('|', '\\|')
  const rows = Object.entries<SettingEntry>(settingTable).map(([name, { fallback, about, secret }]) => {
    const standard = fallback === undefined ? '' : `\`${fallback}\``
    return `| \`${name}\` | ${standard} | ${cell(about)}${secret === true ? ' *Secret.*' : ''} |`
  })
  return [
    '# Configuration',
    '',
    'Every setting is an environment variable, read once at start; all problems are reported together. An empty variable',
    'counts as unset. This page is generated from `src/config/settings.ts` (`npm run docs`).',
    '',
    '| setting | default | what it does |',
    '|---|---|---|',
    ...rows,
    '',
  ].join('\n')
}

/** The real composition; nothing connects to a database before it is asked something. */
function compose() {
  const databaseUrl = 'postgresql://nobody@localhost/nothing'
  const settings = readSettings({
    DATABASE_URL: databaseUrl,
    ENCRYPTION_KEYS: `docs:${Buffer.alloc(32).toString('base64')}`,
  })
  return createApp({ settings, databaseUrl: new Secret(databaseUrl), log: createLogger('silent'), env: {} })
}

/** A document that is written by hand, but for the table between two marks. */
function withMetrics(path: string): string {
  const rows = app.metrics.describe().map(({ name, type, help }) => `| \`${name}\` | ${type} | ${help} |`)
  const table = ['| metric | type | what it counts |', '|---|---|---|', ...rows].join('\n')
  const [before, after] = readFileSync(new URL(path, root), 'utf8').split(
    /(?<=<!-- metrics -->\n).*(?=\n<!-- end of metrics -->)/s,
  )
  if (after === undefined) throw new Error(`${path} lacks the marks around the table of metrics`)
  return `${before}${table}${after}`
}

const app = compose()

const documents: Record<string, string> = {
  'docs/configuration.md': configuration(),
  'docs/openapi.json': `${JSON.stringify(app.openApi, null, 2)}\n`,
  'src/client/generated/api.ts': clientTypes(app.openApi),
  'docs/operations.md': withMetrics('docs/operations.md'),
  'helm/values.schema.json': `${JSON.stringify(valuesSchema(), null, 2)}\n`,
  'helm/files/dashboard.json': dashboard(),
  'helm/README.md': chartReadme(readFileSync(new URL('helm/values.yaml', root), 'utf8')),
}

const isCheck = process.argv.includes('--check')
let stale = 0
for (const [path, text] of Object.entries(documents)) {
  const file = new URL(path, root)
  if (!isCheck) writeFileSync(file, text)
  else if (readIfThere(file) !== text) {
    stale += 1
    console.error(`${path} is not what the code says. Run: npm run docs`)
  }
}
process.exitCode = stale === 0 ? 0 : 1

function readIfThere(file: URL): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
