/**
 * How long things take and last, in milliseconds. One object, so that tests can shorten all of it alike.
 */
export const defaultTimings = {
  /** A connect as a whole: clients and balancers wait for 30 s. What follows is within it. */
  connectMs: 28_000,
  /** A connect's attempt to talk to the server, in all. */
  probeMs: 15_000,
  /** Finding a server's authorization server, in all. */
  discoveryMs: 8_000,
  ticketTtlMs: 24 * 3_600_000,
  flowTtlMs: 600_000,
  refresh: {
    leaseMs: 15_000,
    heartbeatMs: 5_000,
    safetyMs: 1_000,
    /** With a lease granted or prolonged longer ago, nothing is sent before it was prolonged: a request may take the rest of it. */
    freshMs: 2_000,
    waitMs: 25_000,
    pollMs: 100,
    maxPollMs: 400,
    /** For a database that is out of reach at the end of a process, while a new token waits for it. */
    spillMs: 20_000,
    /** Of the scheduled refreshes of one issuer by one process. */
    run: {
      /** After this time others get their turn. */
      budgetMs: 10_000,
      /** Connections are leased for so long ahead of their turn. */
      aheadMs: 1000,
    },
    /** Places at an authorization server. */
    places: {
      holdMs: 15_000,
      heartbeatMs: 5_000,
      safetyMs: 1_000,
      /** How long somebody waits for one. */
      waitMs: 10_000,
      pollMs: 100,
    },
    /** An authorization server that fails so often in a row is left alone for a while, each time for twice as long. */
    breaker: { threshold: 5, firstPauseMs: 5_000, maxPauseMs: 300_000 },
    /** More rejections than this within the window, and than this share of the grants: then grants are kept. */
    rejections: { count: 20, share: 0.05, windowMs: 300_000, holdMs: 1_800_000 },
  },
  /** How often each server stores what it counted of calls: a killed one loses so much at most. */
  callCountsMs: 5_000,
  eventStream: {
    /** A comment, and the place that was read up to, when there was nothing else to send. */
    keepAliveMs: 15_000,
    /** How often it is made sure that the credentials still hold. */
    confirmMs: 2_000,
    /** After so long a stream ends; whoever reads it goes on with another. */
    lifeMs: 3_600_000,
    pollMs: 1_000,
    heldBackMs: 50,
  },
  shutdown: {
    /** For load balancers to notice that readiness is gone. */
    noticeMs: 5_000,
    /** For requests under way. */
    drainMs: 25_000,
  },
}

export type Timings = typeof defaultTimings
