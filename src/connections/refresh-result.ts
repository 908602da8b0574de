import type { Connection } from './connection.ts'

/** How an attempt to renew a grant ended, for whoever asked for it. */
export type RefreshResult =
  | { readonly kind: 'refreshed'; readonly connection: Connection }
  /** Somebody else was refreshing, or had the result already; this is it. */
  | { readonly kind: 'adopted'; readonly connection: Connection }
  /** Not now, perhaps later; the grant is kept. `retryAt`: when it is tried again by itself, where that is known. */
  | { readonly kind: 'transient'; readonly connection: Connection; readonly retryAt: Date | null }
  /** There is a new token, and the database could not take it: it is kept elsewhere until it can. */
  | { readonly kind: 'spilled' }
  /** The grant is gone: refused by the authorization server, or ended by a person meanwhile. */
  | { readonly kind: 'ended' }
  /** Somebody else is still at it after the time that we wait. */
  | { readonly kind: 'busy' }
  /** There is nothing to refresh with. */
  | { readonly kind: 'not_refreshable' }

/**
 * The moments between which a process may die. Tests stop one there; nothing else ever hears of them. Committing and giving
 * back the lease are one statement here, so nothing lies between those two.
 */
export type FaultPoint =
  | 'lease_taken'
  | 'request_sent'
  | 'answer_received'
  | 'before_commit'
  | 'after_commit'
  | 'before_job_done'

export type ReachFaultPoint = (point: FaultPoint, connectionId: string) => Promise<void>
