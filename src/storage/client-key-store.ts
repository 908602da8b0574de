import type { ClientKeyStore, StoredClientKey } from '../upstream/client-keys.ts'
import type { Database } from './prisma-client.ts'

/** Our client keys in PostgreSQL. */
export function createPrismaClientKeyStore(database: Database): ClientKeyStore {
  return {
    async list() {
      const rows = await database.clientKey.findMany({ orderBy: [{ createdAt: 'asc' }, { kid: 'asc' }] })
      return rows.map(({ kid, sealedPrivateKey, publicKey }) => ({
        kid,
        sealedPrivateKey,
        publicKey: publicKey as StoredClientKey['publicKey'],
      }))
    },

    async add({ kid, sealedPrivateKey, publicKey }) {
      await database.clientKey.create({ data: { kid, sealedPrivateKey, publicKey: { ...publicKey } as object } })
    },
  }
}
