import { PrismaPg } from '@prisma/adapter-pg'
import type { Secret } from '../kernel/secret.ts'
import { PrismaClient } from './generated/client.ts'

export type Database = PrismaClient

/** What runs inside a transaction: the client without the methods that open and close connections. */
export type Transaction = Parameters<
  Extract<Parameters<PrismaClient['$transaction']>[0], (...args: never[]) => unknown>
>[0]

type Options = { readonly url: Secret; readonly poolSize: number }

/**
 * Opens the database. Connections are made when first needed; `$disconnect()` closes them.
 *
 * Waits for a free connection and statements are bounded, so that a database in trouble gives errors, not hangs.
 */
export function openDatabase({ url, poolSize }: Options): Database {
  const adapter = new PrismaPg({
    connectionString: url.reveal(),
    max: poolSize,
    connectionTimeoutMillis: 5000,
    statement_timeout: 10_000,
    idleTimeoutMillis: 30_000,
  })
  return new PrismaClient({ adapter, errorFormat: 'minimal' })
}
