import pg from 'pg'
import { AppError } from '../kernel/app-error.ts'
import { Prisma } from './generated/client.ts'

/**
 * SQLSTATEs that say nothing about the statement, only that the database cannot do it now: classes (two characters) and single
 * codes. https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const sqlStates: readonly string[] = [
  // connection exception, insufficient resources (disk full, too many connections), operator intervention (shutdown,
  // crash, starting up, statement timeout), system error
  ...['08', '53', '57', '58'],
  // read-only transaction: a standby, or a primary that was demoted or is full
  '25006',
  // serialization failure, deadlock, lock not available: whoever asks again gets it
  ...['40001', '40P01', '55P03'],
]

/** Prisma's codes for the same. https://www.prisma.io/docs/orm/reference/error-reference */
const prismaCodes: ReadonlySet<string> = new Set([
  // cannot be reached, times out, closed the connection; no connection in the pool; too many connections
  ...['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2037'],
  // a transaction that could not be begun or kept, or met another one's write
  ...['P2028', 'P2034'],
])

/** What the operating system says when nobody is there. */
const socketCodes: ReadonlySet<string> = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'],
  ...['ENOENT', 'ENOTFOUND', 'EAI_AGAIN', 'EMFILE', 'ENFILE', 'EAGAIN'],
])

/** pg has no code for these; they are whole messages of the library, never a server's words. */
const driverMessages: readonly string[] = [
  'timeout exceeded when trying to connect',
  'Connection terminated unexpectedly',
  'Connection terminated due to connection timeout',
  'Connection terminated',
  'Client has encountered a connection error and is not queryable',
  'Client was closed and is not queryable',
  'Query read timeout',
]

const isSqlState = (code: string): boolean => sqlStates.some((state) => code.startsWith(state))

/** The SQLSTATE that Prisma's driver adapter kept of a failure. */
function originalCode(error: Prisma.PrismaClientKnownRequestError): string | undefined {
  const adapterError = error.meta?.driverAdapterError
  if (typeof adapterError !== 'object' || adapterError === null || !('cause' in adapterError)) return undefined
  const { cause } = adapterError
  const code = typeof cause === 'object' && cause !== null && 'originalCode' in cause ? cause.originalCode : undefined
  return typeof code === 'string' ? code : undefined
}

/**
 * Whether a failure of Prisma or pg means that the database is out of reach, read-only, busy or out of connections: nothing
 * is wrong with what was asked, and asking again may succeed.
 */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error instanceof pg.DatabaseError) return isSqlState(error.code ?? '')
  if (error instanceof Prisma.PrismaClientKnownRequestError && prismaCodes.has(error.code)) return true
  if (error instanceof Prisma.PrismaClientKnownRequestError && isSqlState(originalCode(error) ?? '')) return true
  if (error instanceof Prisma.PrismaClientInitializationError) return true
  if ('code' in error && typeof error.code === 'string' && socketCodes.has(error.code)) return true
  // Node tries the addresses of a name one after the other, and reports them together
  if (error instanceof AggregateError) return error.errors.some(isUnavailable)
  return driverMessages.some((message) => error.message === message || error.message.endsWith(`\n${message}`))
}

/**
 * A store whose methods throw AppError `storage_unavailable` where the database cannot be used now. Everything else that
 * they throw is left as it is.
 *
 * @param store its methods are all asynchronous
 * @param onFailure told of each such failure
 */
export function tellingUnavailability<Store extends object>(store: Store, onFailure: () => void): Store {
  const methods = Object.entries(store).map(([name, method]) => [
    name,
    async (...args: unknown[]): Promise<unknown> => {
      try {
        return await method.apply(store, args)
      } catch (cause) {
        if (!isUnavailable(cause)) throw cause
        onFailure()
        throw new AppError('storage_unavailable', 'the database cannot be used now', { meta: { method: name }, cause })
      }
    },
  ])
  return Object.fromEntries(methods) as Store
}
