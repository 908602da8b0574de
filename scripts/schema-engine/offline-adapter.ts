import {
  ColumnTypeEnum,
  type SqlDriverAdapter,
  type SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils'

const adapter = { provider: 'postgres', adapterName: 'offline' } as const

const refuse = async (): Promise<never> => {
  throw new Error('this command was not expected to ask the database')
}

/**
 * Stands in for a database where two texts are compared, which the native engine does without one. The WebAssembly
 * build asks its database one question whatever it is going to do: whether the schema exists, and which version this is.
 */
const answeringTheGreeting: SqlDriverAdapter = {
  ...adapter,
  queryRaw: async ({ sql }) => {
    if (!sql.includes('server_version_num')) return refuse()
    return {
      columnNames: ['exists', 'version', 'numeric_version'],
      columnTypes: [ColumnTypeEnum.Boolean, ColumnTypeEnum.Text, ColumnTypeEnum.Int32],
      rows: [[true, 'PostgreSQL 18', 180_000]],
    }
  },
  executeRaw: refuse,
  executeScript: refuse,
  startTransaction: refuse,
  getConnectionInfo: () => ({ supportsRelationJoins: true }),
  dispose: async () => {},
}

export const offlineAdapter: SqlMigrationAwareDriverAdapterFactory = {
  ...adapter,
  connect: async () => answeringTheGreeting,
  connectToShadowDb: refuse,
}
