import type { KeyStore, StoredKey } from '../vault/stored-keys.ts'
import type { ClientKey, SigningKey } from './generated/client.ts'
import type { Database } from './prisma-client.ts'

const oldestFirst = [{ createdAt: 'asc' }, { kid: 'asc' }] as const

const toStoredKey = ({ kid, sealedPrivateKey, publicKey }: ClientKey | SigningKey): StoredKey => ({
  kid,
  sealedPrivateKey,
  publicKey: publicKey as StoredKey['publicKey'],
})

const toRow = ({ kid, sealedPrivateKey, publicKey }: StoredKey) => ({
  kid,
  sealedPrivateKey,
  publicKey: { ...publicKey } as object,
})

/** The keys with which we prove ourselves as a client, in PostgreSQL. */
export function createPrismaClientKeyStore(database: Database): KeyStore {
  return {
    list: async () => (await database.clientKey.findMany({ orderBy: [...oldestFirst] })).map(toStoredKey),
    add: async (key) => void (await database.clientKey.create({ data: toRow(key) })),
  }
}

/** The keys that sign our access tokens, in PostgreSQL. */
export function createPrismaSigningKeyStore(database: Database): KeyStore {
  return {
    list: async () => (await database.signingKey.findMany({ orderBy: [...oldestFirst] })).map(toStoredKey),
    add: async (key) => void (await database.signingKey.create({ data: toRow(key) })),
  }
}
