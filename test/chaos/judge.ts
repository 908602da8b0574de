import type { Presentation } from './authorization-servers.ts'

/** One process that sent token requests, told by the address that they came to. */
export type Life = { readonly address: string; readonly endedAt: number | null }

export type Figures = {
  readonly redemptions: number
  readonly replays: number
  readonly refusals: number
  /** Tokens that were presented again by the process that had presented them: the one immediate retry. */
  readonly retriesByTheSame: number
  /** Tokens that were presented again by another process, after every process that had redeemed them was dead. */
  readonly retriesAfterDeath: number
  /** Tokens that were presented while another process lived that had redeemed them: there must be none. */
  readonly doubles: number
  /** The longest time from a request of a process that died to the next with the same token, milliseconds. */
  readonly longestGapMs: number
}

/** Counts what the authorization servers wrote down, against the lives of the processes. */
export function judge(presentations: readonly Presentation[], lives: readonly Life[]): Figures {
  const endOf = new Map(lives.map(({ address, endedAt }) => [address, endedAt ?? Number.POSITIVE_INFINITY]))
  const counts = {
    redemptions: 0,
    replays: 0,
    refusals: 0,
    retriesByTheSame: 0,
    retriesAfterDeath: 0,
    doubles: 0,
    longestGapMs: 0,
  }
  const presenters = new Map<string, Set<string>>()
  const lastAt = new Map<string, number>()
  const redeemers = new Map<string, Set<string>>()
  for (const { token, address, at, answer } of presentations) {
    if (answer === 'rotated') counts.redemptions += 1
    else if (answer === 'replayed') counts.replays += 1
    else counts.refusals += 1
    const before = presenters.get(token) ?? new Set()
    const others = [...before].filter((other) => other !== address)
    const redeemed = redeemers.get(token) ?? new Set()
    if ([...redeemed].some((other) => other !== address && (endOf.get(other) ?? 0) > at)) counts.doubles += 1
    else if (before.has(address)) counts.retriesByTheSame += 1
    else if (others.length > 0) counts.retriesAfterDeath += 1
    const since = at - (lastAt.get(token) ?? at)
    if (others.length > 0) counts.longestGapMs = Math.max(counts.longestGapMs, since)
    lastAt.set(token, at)
    presenters.set(token, before.add(address))
    if (answer !== 'refused') redeemers.set(token, redeemed.add(address))
  }
  return counts
}

export type Explanation = {
  /** Disconnected connections that no killed process accounts for: there must be none. */
  readonly unexplained: readonly string[]
  /** How many killed processes account for the others. */
  readonly processes: number
  /** The longest time from a request of such a process to its death, milliseconds. */
  readonly longestMs: number
}

/** A refresh lasts no longer than its lease: what was asked longer before a death is not its fault. */
const leaseMs = 15_000

/**
 * Finds, for each connection that was disconnected, the killed process that took its last token along: the last rotation was
 * asked for by it, within the life of a lease before its death, and whoever presented the same token afterwards was refused.
 */
export function explain(
  disconnected: readonly string[],
  presentations: readonly Presentation[],
  lives: readonly Life[],
): Explanation {
  const endOf = new Map(lives.map(({ address, endedAt }) => [address, endedAt]))
  const unexplained: string[] = []
  const processes = new Set<string>()
  let longestMs = 0
  for (const connection of disconnected) {
    const all = presentations.filter((one) => one.connection === connection)
    const rotation = all.findLast(({ answer }) => answer === 'rotated')
    const endedAt = endOf.get(rotation?.address ?? '') ?? null
    const refusal = all.find(({ answer, token }) => answer === 'refused' && token === rotation?.token)
    const isTakenAlong =
      rotation !== undefined &&
      endedAt !== null &&
      endedAt >= rotation.at &&
      endedAt - rotation.at <= leaseMs &&
      refusal !== undefined &&
      refusal.at >= endedAt
    if (isTakenAlong) {
      processes.add(rotation.address)
      longestMs = Math.max(longestMs, endedAt - rotation.at)
    } else unexplained.push(connection)
  }
  return { unexplained, processes: processes.size, longestMs }
}
