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
  /** How many connections of one issuer are named at most. */
  readonly perIssuer: number
  /** After this time without a run an issuer is claimed again; sooner, where the last refresh of its first has no known end. */
  readonly claimMs: number
}

/** Which connections are due. PostgreSQL alone knows; a lost job or a flushed queue loses nothing. */
export type DueStore = {
  /**
   * Claims issuers with connections whose refresh is due at `now`: those that are not paused, have a free slot and no job waiting.
   * Whoever claims at the same moment gets others. The connections themselves are only named: a run leases them. When nothing is
   * due, this costs the same however many connections there are.
   */
  claim(now: Date, claim: Claim): Promise<DueBatch[]>
  /** Lets an issuer's next job be made: this one has begun, or nobody will ever see it. */
  release(issuer: string): Promise<void>
}
