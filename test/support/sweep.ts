import { randomBytes } from 'node:crypto'
import { withSealedStore } from '../../src/composition/with-sealed-store.ts'
import { Secret } from '../../src/kernel/secret.ts'
import { withConnection } from '../../src/storage/ensure-database.ts'
import { parseKeyring } from '../../src/vault/keyring.ts'
import { createVault } from '../../src/vault/vault.ts'

/** Members of sealed JSON that are secrets by themselves: of a private key (RFC 7518), and of a callback that is parked. */
const secretMembers = new Set(['d', 'p', 'q', 'dp', 'dq', 'qi', 'code', 'state'])
/** Anything shorter turns up by chance. */
const shortestSecret = 16

export type Sweep = {
  /** Makes a secret that nobody else has. */
  plant(name: string): string
  /** Takes part of what is looked for. */
  add(name: string, value: string): void
  /** Opens every sealed column of the database, and adds what it holds. */
  harvest(): Promise<void>
  /** The columns that have held something so far, and those that there are. */
  readonly columns: { readonly seen: ReadonlySet<string>; readonly all: ReadonlySet<string> }
  readonly size: number
  /** The names of the secrets that `text` holds, raw or encoded, each with the encoding. */
  findIn(text: string, isWanted?: (name: string) => boolean): string[]
}

/** Knows the secrets of an installation, by planting them and by opening what it has sealed, and looks for them (CR-04). */
export function createSweep(databaseUrl: string, ring: string): Sweep {
  const keyring = parseKeyring(ring)
  const vault = createVault(keyring)
  const forms = new Map<string, { readonly name: string; readonly forms: ReturnType<typeof formsOf> }>()
  const seen = new Set<string>()
  const all = new Set<string>()
  const add = (name: string, value: string): void => {
    if (value.length >= shortestSecret && !forms.has(value)) forms.set(value, { name, forms: formsOf(value) })
  }
  return {
    plant(name) {
      // characters that every encoding changes
      const value = `canary/${randomBytes(9).toString('hex')}+${randomBytes(9).toString('hex')}?`
      add(name, value)
      return value
    },
    add,
    harvest: () =>
      withSealedStore(new Secret(databaseUrl), async (store) => {
        for (const column of store.columns) {
          const name = `${column.table}.${column.column}`
          all.add(name)
          const values = await store.read(column, { exceptKid: '', afterRowId: null, limit: 5000 })
          for (const { sealed, ...place } of values) {
            const value = vault.open(sealed, { ...place, ...column }).reveal()
            seen.add(name)
            for (const part of secretsWithin(value)) add(name, part)
          }
        }
      }),
    columns: { seen, all },
    get size() {
      return forms.size
    },
    findIn(text, isWanted = () => true) {
      return [...forms.values()].flatMap(({ name, forms: each }) =>
        isWanted(name) ? each.filter(({ form }) => text.includes(form)).map(({ as }) => `${name} (${as})`) : [],
      )
    },
  }
}

/** A sealed value, and where it is JSON what is secret in it. */
function secretsWithin(value: string): string[] {
  try {
    const members = Object.entries(JSON.parse(value) as Record<string, unknown>)
    return [value, ...members.flatMap(([name, member]) => (secretMembers.has(name) ? [String(member)] : []))]
  } catch {
    return [value]
  }
}

/** How a value looks raw, as part of JSON, in base64 (wherever it begins there), in a URL, and in hexadecimal. */
function formsOf(value: string) {
  const bytes = Buffer.from(value)
  const base64 = [0, 1, 2].flatMap((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64')
    // what depends on the neighbours goes
    const inner = text.slice(Math.ceil((before * 8) / 6), -4)
    return [inner, inner.replaceAll('+', '-').replaceAll('/', '_')]
  })
  const hex = bytes.toString('hex')
  const url = encodeURIComponent(value)
  return [
    { as: 'raw', form: value },
    { as: 'JSON', form: JSON.stringify(value).slice(1, -1) },
    ...base64.map((form) => ({ as: 'base64', form })),
    { as: 'URL', form: url },
    { as: 'URL', form: url.replaceAll('%20', '+').replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()) },
    { as: 'hex', form: hex },
    { as: 'hex', form: hex.toUpperCase() },
  ]
}

/** Every row of every table, of all schemas, as text: what a dump holds. */
export function readWholeDatabase(databaseUrl: string): Promise<{ text: string; tables: number }> {
  return withConnection(databaseUrl, async (client) => {
    const { rows: tables } = await client.query<{ name: string }>(
      `SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables
        WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`,
    )
    const parts: string[] = []
    for (const { name } of tables) {
      const { rows } = await client.query<{ line: string }>(`SELECT row::text AS line FROM ${name} AS row`)
      parts.push(name, ...rows.map(({ line }) => line))
    }
    return { text: parts.join('\n'), tables: tables.length }
  })
}
