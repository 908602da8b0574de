/** A column marked `@secret`, with what its rows are found by. */
export type SealedColumnFacts = {
  readonly table: string
  readonly column: string
  /** The column of the row's id, and its type in SQL. */
  readonly id: { readonly column: string; readonly type: 'uuid' | 'int' | 'text' }
  /** An SQL expression: the tenant as it is part of the place. */
  readonly tenant: string
}

/** Of tables that belong to no tenant. The check value has been sealed so from its first version on. */
const withoutTenant: Readonly<Record<string, string>> = { key_check: "'*'" }
const installation = "'installation'"

/** Reads which columns hold sealed values: the fields under a `/// @secret` comment in prisma/schema.prisma. */
export function readSealedColumns(schema: string): SealedColumnFacts[] {
  return [...schema.matchAll(/^model \w+ \{\n(.*?)^\}/gms)].flatMap(([, body = '']) => {
    const lines = body.split('\n').map((line) => line.trim())
    const table = /@@map\("(\w+)"\)/.exec(body)?.[1]
    if (table === undefined) throw new Error('a model without @@map')
    const secrets = lines.filter((_, index) => /^\/\/\/ @secret\b/.test(lines[index - 1] ?? ''))
    if (secrets.length === 0) return []
    const idLine = lines.find((line) => /\s@id\b/.test(line))
    if (idLine === undefined) throw new Error(`${table}: a model with a secret needs an id of one column`)
    const hasTenant = lines.some((line) => columnOf(line) === 'tenant_id')
    return secrets.map((line) => ({
      table,
      column: columnOf(line),
      id: { column: columnOf(idLine), type: typeOf(idLine) },
      tenant: hasTenant ? 'tenant_id::text' : (withoutTenant[table] ?? installation),
    }))
  })
}

function columnOf(line: string): string {
  return /@map\("(\w+)"\)/.exec(line)?.[1] ?? /^\w+/.exec(line)?.[0] ?? ''
}

function typeOf(line: string): 'uuid' | 'int' | 'text' {
  if (line.includes('@db.Uuid')) return 'uuid'
  return /^\w+\s+Int\b/.test(line) ? 'int' : 'text'
}
