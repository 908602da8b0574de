type Sample = { readonly atMs: number; readonly megabytes: number }

/** Samples of memory are taken in groups of this many, and the lowest counts: garbage that waits to be collected is no leak. */
const group = 6

/** How memory grows, by least squares. */
export function slopePerTenMinutes(samples: readonly Sample[]): number {
  const lows: Sample[] = []
  for (let index = 0; index < samples.length; index += group) {
    const [low] = samples.slice(index, index + group).sort((a, b) => a.megabytes - b.megabytes)
    if (low !== undefined) lows.push(low)
  }
  const mean = (of: (sample: Sample) => number) => lows.reduce((sum, sample) => sum + of(sample), 0) / lows.length
  const [time, memory] = [mean(({ atMs }) => atMs), mean(({ megabytes }) => megabytes)]
  const covariance = mean(({ atMs, megabytes }) => (atMs - time) * (megabytes - memory))
  return (covariance / mean(({ atMs }) => (atMs - time) ** 2)) * 600_000
}
