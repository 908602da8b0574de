import type { Presentation } from './authorization-servers.ts'

/** One process that sent token requests, told by the address that they came to. */
export type Life = { readonly address: string; readonly endedAt: number | null }

export type Figures = {
  readonly redemptions: number
  readonly replays: number
  /** Tokens that were presented again by the process that had presented them: the one immediate retry. */
  readonly retriesByTheSame: number
  /** Tokens that were presented again after the process that had presented them was dead. */
  readonly retriesAfterDeath: number
  /** Tokens that two processes presented while both lived: there must be none. */
  readonly doubles: number
}

/** Counts what the authorization servers wrote down, against the lives of the processes. */
export function judge(presentations: readonly Presentation[], lives: readonly Life[]): Figures {
  const endOf = new Map(lives.map(({ address, endedAt }) => [address, endedAt ?? Number.POSITIVE_INFINITY]))
  const counts = { redemptions: 0, replays: 0, retriesByTheSame: 0, retriesAfterDeath: 0, doubles: 0 }
  const last = new Map<string, Presentation>()
  for (const one of presentations) {
    if (one.answer === 'rotated') counts.redemptions += 1
    if (one.answer === 'replayed') counts.replays += 1
    const before = last.get(one.token)
    if (before !== undefined) {
      if (before.address === one.address) counts.retriesByTheSame += 1
      else if ((endOf.get(before.address) ?? 0) <= one.at) counts.retriesAfterDeath += 1
      else counts.doubles += 1
    }
    last.set(one.token, one)
  }
  return counts
}

/** Of connections that were disconnected: those whose last rotation no killed process accounts for. There must be none. */
export function unexplained(
  disconnected: readonly string[],
  presentations: readonly Presentation[],
  lives: readonly Life[],
): string[] {
  const endOf = new Map(lives.map(({ address, endedAt }) => [address, endedAt]))
  return disconnected.filter((connection) => {
    const rotations = presentations.filter((one) => one.connection === connection && one.answer === 'rotated')
    const lastRotation = rotations.at(-1)
    if (lastRotation === undefined) return true
    const endedAt = endOf.get(lastRotation.address) ?? null
    return endedAt === null || endedAt < lastRotation.at
  })
}
