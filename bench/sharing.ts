import { measureLoad, median, pin } from './measure.ts'
import { print } from './print.ts'
import type { Target } from './targets.ts'

type Options = {
  readonly body: string
  readonly connections: number
  readonly seconds: number
  readonly rounds: number
}

/** For each process. Few, since a process that always has something waiting needs less for each. */
const perSecond = 500

/**
 * What it costs that processes share a port: one process on one core, and two with a core each that get twice as much to do.
 *
 * @param pairs one process, and two of the same program
 * @returns by the name of the two: their processor time per request of that of the one
 */
export async function measureSharing(pairs: readonly (readonly Target[])[], options: Options) {
  const { body, connections, seconds, rounds } = options
  const results = new Map<string, { one: number[]; two: number[]; ratio: number[] }>()
  for (const [, two] of pairs) if (two !== undefined) pin(two.pid, '0,1')
  for (let round = 0; round < rounds; round += 1) {
    for (const [one, two] of pairs) {
      if (one === undefined || two === undefined) continue
      const alone = await measureLoad(one, body, { connections, seconds, perSecond })
      const both = await measureLoad(two, body, { connections, seconds, perSecond: 2 * perSecond })
      const result = results.get(two.name) ?? { one: [], two: [], ratio: [] }
      result.one.push(alone.cpuMicroseconds)
      result.two.push(both.cpuMicroseconds)
      result.ratio.push(both.cpuMicroseconds / alone.cpuMicroseconds)
      results.set(two.name, result)
    }
  }
  const rows = [...results].map(([name, { one, two, ratio }]) => [
    name,
    median(one).toFixed(1),
    median(two).toFixed(1),
    median(ratio).toFixed(3),
  ])
  print(`${perSecond}/s for each process, each on a core of its own`, ['', 'one, CPU us/req', 'two', 'of one'], rows)
  return (name: string): number => median(results.get(name)?.ratio ?? [])
}
