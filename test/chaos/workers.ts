import { type PatchbayProcess, startPatchbayProcess } from '../support/patchbay-processes.ts'
import type { AuthorizationServers } from './authorization-servers.ts'
import type { Life } from './judge.ts'

export type Workers = {
  start(): Promise<void>
  /** Kills the oldest one without a warning. */
  killOne(): Promise<void>
  endAll(): Promise<unknown>
  lives(): Life[]
  /** How many were killed. */
  readonly killed: number
}

/** Worker processes, each with a loopback address of its own by which the authorization servers tell who asks. */
export function createWorkers(env: Readonly<Record<string, string>>, servers: AuthorizationServers): Workers {
  const all: { readonly address: string; readonly child: PatchbayProcess }[] = []
  let count = 9
  const start = async (): Promise<void> => {
    count += 1
    const address = `127.0.0.${count}`
    await servers.listenOn(address)
    const child = await startPatchbayProcess({ env }, { role: 'worker', env: { CALLS_FROM: address } })
    all.push({ address, child })
  }
  return {
    start,
    async killOne() {
      const oldest = all.find(({ child }) => child.endedAt() === null)
      await oldest?.child.end('SIGKILL')
    },
    endAll: () => Promise.all(all.map(({ child }) => child.end('SIGKILL'))),
    lives: () => all.map(({ address, child }) => ({ address, endedAt: child.endedAt() })),
    get killed() {
      return all.filter(({ child }) => child.endedAt() !== null).length
    },
  }
}
