import { PrismaPg } from '@prisma/adapter-pg'
import pg from 'pg'
import type { Secret } from '../kernel/secret.ts'
import { PrismaClient } from './generated/client.ts'

export type Database = PrismaClient

/** What runs inside a transaction: the client without the methods that open and close connections. */
export type Transaction = Parameters<
  Extract<Parameters<PrismaClient['$transaction']>[0], (...args: never[]) => unknown>
>[0]

type Options = {
  readonly url: Secret
  readonly poolSize: number
  /** How long anybody waits for a connection and then for a lock, both together. Default: two seconds. */
  readonly waitMs?: number
}

const usualWaitMs = 2000

/**
 * The connections of a process to PostgreSQL, made when first needed; `end()` closes them. Prisma and the statements that
 * are written by hand (where a refresh a millisecond counts) share them.
 *
 * Waits for a free connection and statements are bounded, so that a database in trouble gives errors, not hangs.
 */
export function openPool({ url, poolSize, waitMs = usualWaitMs }: Options): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url.reveal(),
    max: poolSize,
    // whoever can have no connection, or then no lock, is refused in time, and may come again; the rest is for the answer
    connectionTimeoutMillis: Math.round(0.55 * waitMs),
    lock_timeout: Math.round(0.3 * waitMs),
    statement_timeout: 10_000,
    // for a server that no longer ends its statements itself
    query_timeout: 12_000,
    keepAlive: true,
    idleTimeoutMillis: 30_000,
  })
  // a connection that breaks while idle is replaced by the next query; without a listener it would end the process
  pool.on('error', () => {})
  return pool
}

/** Prisma over a pool, which stays open after `$disconnect()`, or over one of its own, which does not. */
export function openDatabase(over: pg.Pool | Options): Database {
  const isShared = over instanceof pg.Pool
  const adapter = new PrismaPg(isShared ? over : openPool(over), { disposeExternalPool: !isShared })
  return new PrismaClient({ adapter, errorFormat: 'minimal' })
}
