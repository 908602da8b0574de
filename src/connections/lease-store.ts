import type { NewEvent } from '../audit/event.ts'
import type { ClientOwner, RegisteredSecret } from './choose-client.ts'
import type { Connection } from './connection.ts'
import type { ConnectionChanges } from './store.ts'

/** Which connection to lease, as it was seen. */
export type LeaseReference = {
  readonly id: string
  readonly tenantId: string
  /** Null: whichever it has; for whoever knows the version only. */
  readonly grantEpoch: number | null
  readonly tokenVersion: number
}

/** A leased connection, and all that a token request needs to know besides. */
export type LeasedRow = {
  readonly connection: Connection
  /** Whose client it may be. */
  readonly connector: ClientOwner
  /** The client's registration, where it has one. */
  readonly registration: RegisteredSecret | null
  /** When this lease began, by the database's clock. */
  readonly startedAt: Date
  /**
   * When an earlier refresh began whose end nobody wrote down: its process died, or its answer never came. The server may
   * have used up the refresh token then. Null: there is none.
   */
  readonly interruptedAt: Date | null
}

/** What becomes of a leased connection. Everything is written in one statement, and the lease is given back with it. */
export type Settlement = {
  readonly changes: ConnectionChanges
  readonly event?: NewEvent
  /** The mark that an end was not seen (`LeasedRow.interruptedAt` of the next lease); null: the end is known. */
  readonly refreshStartedAt: Date | null
  /** True for what counts only while the lease lasts: a failure. A token that was issued counts in any case. */
  readonly isHolderOnly: boolean
}

/** The right to refresh, kept in PostgreSQL and judged by its clock alone. */
export type LeaseStore = {
  /**
   * Leases for `leaseMs` whichever of the connections are as they were seen and not leased, in one statement; marks the
   * beginning of a refresh; and makes them due again when the lease runs out, so that what a dead process leaves is found.
   */
  takeLeases(references: readonly LeaseReference[], owner: string, leaseMs: number): Promise<LeasedRow[]>
  /**
   * The same for up to `limit` connections of an issuer that are due at `now`, the longest overdue first; whoever asks at the
   * same moment gets others.
   */
  takeDueLeases(due: { issuer: string; now: Date; limit: number }, owner: string, leaseMs: number): Promise<LeasedRow[]>
  /**
   * The same for those of them whose last refresh has no known end, however many others are longer overdue: many servers
   * give the same answer again for half a minute only.
   */
  takeCutOffLeases(
    due: { issuer: string; now: Date; limit: number },
    owner: string,
    leaseMs: number,
  ): Promise<LeasedRow[]>
  /**
   * Prolongs leases that are still held, in one statement.
   *
   * @returns the ids of those
   */
  renewLeases(ids: readonly string[], owner: string, leaseMs: number): Promise<string[]>
  /**
   * Writes how a refresh ended, if epoch and version are still those of `seen`: changes, event and the end of the lease.
   *
   * @returns the connection as it is now; null when somebody else was first, or the lease was lost and matters
   */
  settle(seen: Connection, owner: string, settlement: Settlement): Promise<Connection | null>
  /**
   * Gives a lease back without anything having been tried: the mark is what it was before, and the connection is due at
   * `dueAt`, or at once.
   */
  giveBack(row: LeasedRow, owner: string, dueAt?: Date): Promise<void>
}
