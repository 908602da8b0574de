const kilobyte = 1024
const megabyte = 1024 * kilobyte
const minuteMs = 60_000

/** The bounds within which a call is relayed. */
export type ProxyLimits = {
  /** A longer request body is answered 413. */
  readonly maxRequestBytes: number
  /** A longer request body is not sent a second time after a refresh. */
  readonly maxReplayBytes: number
  /** An answer up to this length is held until it is complete, so that a truncated one becomes a 502. */
  readonly maxHeldBytes: number
  /** From the request to the answer's head. Hosts wait up to 300 s for a tool, and a JSON answer comes only then. */
  readonly answerTimeoutMs: number
  /** A quiet event stream gets a comment this often, so that no proxy on the way takes it for dead. */
  readonly keepAliveMs: number
  /** A body that is no event stream may pause this long. */
  readonly stallMs: number
  /** An event stream may be silent this long. */
  readonly idleMs: number
  /** An event stream older than this is closed at its next event boundary; its reader resumes. */
  readonly streamLifeMs: number
  /** Calls of one principal, on average over ten seconds; 0: as many as it likes. */
  readonly callsPerSecond: number
  /** Calls and streams that one principal may have under way at one connector. */
  readonly callsPerCaller: number
  /** Calls and streams that may be under way at one upstream: each holds a socket. */
  readonly callsPerUpstream: number
  /** Sessions with upstreams of HTTP+SSE and WebSocket that this process holds; one principal may have half of them. */
  readonly translatedSessions: number
  /** How long a call waits for the person who was sent to a link. MCP clients give up after 60 s by default. */
  readonly connectWaitMs: number
}

export const defaultProxyLimits: ProxyLimits = {
  maxRequestBytes: 4 * megabyte,
  maxReplayBytes: megabyte,
  maxHeldBytes: 64 * kilobyte,
  answerTimeoutMs: 5 * minuteMs,
  keepAliveMs: 15_000,
  stallMs: minuteMs,
  idleMs: 30 * minuteMs,
  streamLifeMs: 60 * minuteMs,
  callsPerSecond: 100,
  callsPerCaller: 128,
  callsPerUpstream: 1000,
  translatedSessions: 2000,
  connectWaitMs: 25_000,
}
