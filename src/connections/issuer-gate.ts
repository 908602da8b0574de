import type { OutcomeClass } from './refresh-outcomes.ts'

/** The right to send one token request to an authorization server. */
export type IssuerTicket = { leave(): Promise<void> }

/**
 * What stands between all processes together and one authorization server: how many token requests it gets at once, and
 * when it is left alone.
 */
export type IssuerGate = {
  /**
   * Waits, for a bounded time, for a place that is kept for people and calls who wait for the result. Scheduled refreshes
   * have places of their own and do not come here.
   */
  enter(issuer: string): Promise<IssuerTicket | { readonly pausedUntil: Date }>
  /**
   * Takes note of how a token request ended.
   *
   * @param retryAfterMs what the server asked for; all its connections wait that long
   */
  report(issuer: string, outcome: OutcomeClass, retryAfterMs?: number): Promise<void>
  /**
   * Whether a grant may be ended by the server's word just now. False while suspiciously many are refused at once: then the
   * grant is kept, and asked about again later.
   */
  mayDisconnect(issuer: string): Promise<boolean>
}
