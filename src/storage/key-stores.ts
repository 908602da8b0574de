import type { KeyPurpose, KeyStore, StoredKey } from '../vault/signing-keys.ts'
import type { SigningKey } from './generated/client.ts'
import type { Database, Transaction } from './prisma-client.ts'

type Table = {
  readonly of: (database: Transaction) => Transaction['signingKey']
  /** Against others who change it; reading goes on. */
  readonly lock: (transaction: Transaction) => Promise<number>
}

const tables: Readonly<Record<KeyPurpose, Table>> = {
  tokens: {
    of: ({ signingKey }) => signingKey,
    lock: (transaction) => transaction.$executeRaw`LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE`,
  },
  client: {
    // the two tables have the same columns
    of: ({ clientKey }) => clientKey as unknown as Transaction['signingKey'],
    lock: (transaction) => transaction.$executeRaw`LOCK TABLE client_keys IN SHARE ROW EXCLUSIVE MODE`,
  },
}

const toStoredKey = ({ publicKey, createdAt: _, ...row }: SigningKey): StoredKey => ({
  ...row,
  publicKey: publicKey as StoredKey['publicKey'],
})

const toRow = ({ publicKey, ...key }: StoredKey) => ({ ...key, publicKey: { ...publicKey } as object })

/** The keys with which the installation signs, in PostgreSQL. */
export function createPrismaKeyStore(database: Database, purpose: KeyPurpose): KeyStore {
  const { of, lock } = tables[purpose]
  return {
    list: async () =>
      (await of(database).findMany({ orderBy: [{ signsFrom: 'asc' }, { kid: 'asc' }] })).map(toStoredKey),

    add: (key, unlessAfter) =>
      database.$transaction(async (transaction) => {
        await lock(transaction)
        if ((await of(transaction).count({ where: { signsFrom: { gt: unlessAfter } } })) > 0) return false
        await of(transaction).create({ data: toRow(key) })
        return true
      }),

    replaceAll: (key) =>
      database.$transaction(async (transaction) => {
        await lock(transaction)
        await of(transaction).deleteMany({})
        await of(transaction).create({ data: toRow(key) })
      }),
  }
}
