import { randomUUID } from 'node:crypto'
import { PrismaPg } from '@prisma/adapter-pg'
import {
  ColumnTypeEnum,
  type SqlDriverAdapter,
  type SqlMigrationAwareDriverAdapterFactory,
  type SqlQuery,
} from '@prisma/driver-adapter-utils'
import { withWholeScripts } from '../../src/storage/whole-scripts.ts'

// pg_type.oid of "char" (one byte, used all over the system catalog) and of text
const charOid = 18
const textOid = 25

type QueryResult = { fields: { dataTypeID: number }[] }
/** What `@prisma/adapter-pg` keeps to itself. */
type Inside = { performIO(query: SqlQuery): Promise<QueryResult> }

/**
 * Teaches Prisma's adapter the type "char". It was made for applications and refuses the type; the schema engine reads
 * it in every look at the catalog.
 */
function withCharType<Adapter extends SqlDriverAdapter>(adapter: Adapter): Adapter {
  const queryRaw = adapter.queryRaw
  const inside = adapter as unknown as Inside
  adapter.queryRaw = async (query) => {
    const result = await inside.performIO(query)
    const chars = result.fields.flatMap((field, index) => (field.dataTypeID === charOid ? [index] : []))
    for (const field of result.fields) if (field.dataTypeID === charOid) field.dataTypeID = textOid
    const answered = Object.create(adapter, { performIO: { value: async () => result } })
    const table = await queryRaw.call(answered, query)
    for (const index of chars) table.columnTypes[index] = ColumnTypeEnum.Character
    return table
  }
  return adapter
}

function onDatabase(url: string, name: string): string {
  const other = new URL(url)
  other.pathname = `/${name}`
  return other.href
}

const connect = async (connectionString: string): Promise<SqlDriverAdapter> =>
  withWholeScripts(withCharType(await new PrismaPg({ connectionString, max: 1 }).connect()))

/**
 * Connections for the schema engine. The shadow database is where it replays the migrations to see what they lead to:
 * the given one, or else one that is made beside the main database and dropped again.
 */
export function createEngineAdapter(url: string, shadowUrl?: string): SqlMigrationAwareDriverAdapterFactory {
  return {
    provider: 'postgres',
    adapterName: '@prisma/adapter-pg',
    connect: () => connect(url),
    connectToShadowDb: async () => {
      if (shadowUrl !== undefined) return connect(shadowUrl)
      const name = `prisma_migrate_shadow_db_${randomUUID()}`
      const main = await connect(url)
      await main.executeScript(`CREATE DATABASE "${name}"`)
      const shadow = await connect(onDatabase(url, name))
      const dispose = shadow.dispose.bind(shadow)
      shadow.dispose = async () => {
        await dispose()
        await main.executeScript(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`)
        await main.dispose()
      }
      return shadow
    },
  }
}
