import type { PrismaPg } from '@prisma/adapter-pg'
import type { SqlDriverAdapter, SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils'

/** What `@prisma/adapter-pg` keeps to itself. */
type Inside = { client: { query(sql: string): Promise<unknown> }; onError(error: unknown): never }

/**
 * Hands a script to PostgreSQL as it is. Prisma's adapter cuts it at every semicolon, those inside a function's body included.
 * PostgreSQL runs a script of several statements as one transaction, so a migration that fails leaves nothing behind.
 */
export function withWholeScripts<Adapter extends SqlDriverAdapter>(adapter: Adapter): Adapter {
  const inside = adapter as unknown as Inside
  adapter.executeScript = async (script) => {
    try {
      await inside.client.query(script)
    } catch (error) {
      inside.onError(error)
    }
  }
  return adapter
}

/** The same for whatever the factory connects. */
export function wholeScripts(factory: PrismaPg): SqlMigrationAwareDriverAdapterFactory {
  return {
    provider: factory.provider,
    adapterName: factory.adapterName,
    connect: async () => withWholeScripts(await factory.connect()),
    connectToShadowDb: async () => withWholeScripts(await factory.connectToShadowDb()),
  }
}
