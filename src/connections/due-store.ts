/** A connection whose token is to be renewed, as it was when that was found. */
export type DueReference = { readonly tenantId: string; readonly id: string; readonly tokenVersion: number }

/** What one job is about: an authorization server, and some of its connections that are due. */
export type DueBatch = {
  readonly issuer: string
  /** Those first whose last refresh has no known end, then the longest overdue. */
  readonly references: readonly DueReference[]
  /** How long the longest overdue of them is, milliseconds. */
  readonly lateMs: number
}

export type Claim = {
  /** How many connections of one issuer at most. */
  readonly perIssuer: number
  /** After this time without a result, a claimed connection is due again; sooner, where the last refresh has no known end. */
  readonly claimMs: number
}

/** Which connections are due. PostgreSQL alone knows; a lost job or a flushed queue loses nothing. */
export type DueStore = {
  /**
   * Claims connections whose refresh is due at `now`: of each issuer that is not paused, has a free slot and has no job
   * waiting. Whoever claims at the same moment gets others. When nothing is due, this costs the same however many
   * connections there are.
   */
  claim(now: Date, claim: Claim): Promise<DueBatch[]>
  /** Makes claimed connections due again that nobody got round to, and lets the issuer's next job be made. */
  putBack(issuer: string, references: readonly DueReference[], now: Date): Promise<void>
  /** A job of the issuer has begun, so another one may be queued. */
  begin(issuer: string): Promise<void>
}
