/**
 * Upper bounds of the classes that latencies are counted in, milliseconds; one more class is beyond the last. They are stored:
 * changing them takes a column of its own.
 */
export const latencyBoundsMs = [
  5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000,
] as const

export const latencyClasses = latencyBoundsMs.length + 1

/** Which class a latency belongs to. */
export function latencyClass(ms: number): number {
  let index = 0
  while (index < latencyBoundsMs.length && ms > (latencyBoundsMs[index] ?? 0)) index += 1
  return index
}

/**
 * A percentile out of counts by class, as Prometheus estimates one: evenly spread within the class that it falls into.
 *
 * @param counts one for each class
 * @param share 0.5 for the median
 * @returns milliseconds, at most the last bound; null when nothing was counted
 */
export function percentile(counts: readonly number[], share: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total === 0) return null
  const wanted = share * total
  let before = 0
  for (const [index, count] of counts.entries()) {
    if (count > 0 && before + count >= wanted) {
      const lower = latencyBoundsMs[index - 1] ?? 0
      const upper = latencyBoundsMs[index] ?? lower
      return lower + (upper - lower) * ((wanted - before) / count)
    }
    before += count
  }
  return latencyBoundsMs.at(-1) ?? null
}
