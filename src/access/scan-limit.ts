import { AppError, type ErrorCode, isAppError } from '../kernel/app-error.ts'
import type { Clock } from '../kernel/clock.ts'
import { newId } from '../kernel/id.ts'
import type { Principal } from '../kernel/principal.ts'
import { createTurns, type Turns } from './turns.ts'

/** Asking a server that a caller named, whoever answers. */
export type Attempt<Result> = {
  readonly principal: Principal
  readonly url: string
  readonly run: () => Promise<Result>
  /** The code with which it failed, where `run` tells that in its result. */
  readonly codeOf?: (result: Result) => string
}

/**
 * Runs attempts within the limits.
 *
 * @throws AppError `rate_limited`, with `meta.retryAfterSeconds`; and what the attempt throws
 */
export type ScanLimit = <Result>(attempt: Attempt<Result>) => Promise<Result>

type Options = {
  readonly clock: Clock
  /** How many servers a principal may fail to reach per minute; ten times as many per hour. 0: any number. */
  readonly failuresPerMinute: number
  /** How many attempts run at one destination at a time, unless an MCP server is known to be there (default 4). */
  readonly perDestination?: number
  /** How long others wait for their turn (default 5000). */
  readonly waitMs?: number
}

type Failure = { readonly key: string; readonly at: number }

const minuteMs = 60_000
const hourMs = 3_600_000
const maxPrincipals = 10_000
const maxKnown = 1000
/** Nobody there, or nobody that one would name on purpose. Refused by our guard and refused by the host count alike. */
const failures: ReadonlySet<string> = new Set<ErrorCode>([
  'egress_blocked',
  'upstream_unreachable',
  'upstream_timeout',
  'upstream_error',
  'upstream_protocol_error',
  'authorization_server_not_found',
])

/**
 * Keeps connect and doctor from being a port scanner (SS-11): who names ever new servers that are none has to wait. A server
 * that is named again and again counts once, since one that is down must not keep anybody from the others; what a server
 * itself names counts each time, since it may name another place each time. Attempts at one destination are few at a time,
 * until one finds an MCP server there. Each process counts for itself.
 */
export function createScanLimit({ clock, failuresPerMinute, perDestination = 4, waitMs = 5000 }: Options): ScanLimit {
  const failed = new Map<string, Failure[]>()
  const turns = new Map<string, Turns>()
  /** Destinations where an MCP server answered lately: many people connect there, and nobody finds out anything. */
  const known = new Set<string>()

  return async ({ principal, url, run, codeOf = () => '' }) => {
    requireBelow(recent(principal.id))
    const origin = originOf(url)
    try {
      const result = await (known.has(origin) ? run() : inTurn(origin, run))
      const code = codeOf(result)
      if (failures.has(code)) note(principal.id, url, code)
      else remember(origin)
      return result
    } catch (error) {
      if (isAppError(error) && failures.has(error.code)) note(principal.id, url, error.code)
      throw error
    }
  }

  async function inTurn<Result>(origin: string, run: () => Promise<Result>): Promise<Result> {
    const late = () => tooMany(Math.ceil(waitMs / 1000))
    const here = turns.get(origin) ?? createTurns({ count: perDestination, waitMs, late })
    turns.set(origin, here)
    try {
      return await here.inTurn(run)
    } finally {
      if (here.isIdle()) turns.delete(origin)
    }
  }

  function remember(origin: string): void {
    known.delete(origin)
    known.add(origin)
    const [eldest] = known
    if (known.size > maxKnown && eldest !== undefined) known.delete(eldest)
  }

  function recent(principalId: string): Failure[] {
    const now = clock.now().getTime()
    return (failed.get(principalId) ?? []).filter(({ at }) => now - at < hourMs)
  }

  function requireBelow(all: readonly Failure[]): void {
    if (failuresPerMinute === 0) return
    const now = clock.now().getTime()
    for (const [spanMs, limit] of [
      [minuteMs, failuresPerMinute],
      [hourMs, failuresPerMinute * 10],
    ] as const) {
      const within = all.filter(({ at }) => now - at < spanMs)
      // the one after whose end there is room again
      const oldest = within.at(-limit)
      if (oldest !== undefined) throw tooMany(Math.ceil((oldest.at + spanMs - now) / 1000))
    }
  }

  function note(principalId: string, url: string, code: string): void {
    known.delete(originOf(url))
    if (failuresPerMinute === 0) return
    const at = clock.now().getTime()
    const key = code === 'authorization_server_not_found' ? newId() : url
    const others = recent(principalId).filter((failure) => failure.key !== key)
    failed.delete(principalId)
    failed.set(principalId, [...others, { key, at }])
    const [eldest] = failed.keys()
    if (failed.size > maxPrincipals && eldest !== undefined) failed.delete(eldest)
  }
}

function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : ''
}

function tooMany(retryAfterSeconds: number): AppError {
  return new AppError('rate_limited', 'too many attempts', {
    publicDetail: 'Too many servers were tried in a short time. Wait as long as Retry-After says, then try again.',
    meta: { retryAfterSeconds },
  })
}
