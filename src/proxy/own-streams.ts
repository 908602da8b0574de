import type { Changes } from '../kernel/changes.ts'
import type { Principal } from '../kernel/principal.ts'
import { commonHeaders, type Reply } from './call.ts'
import type { ProxyLimits } from './limits.ts'
import type { ResolveUpstream } from './ports.ts'

/** How often somebody who waits looks by himself: while changes are announced, and while nobody hears of them. */
const lookMs = { heard: 10_000, unheard: 500 }

type Deps = {
  readonly resolveUpstream: ResolveUpstream
  readonly changes: Changes
  readonly limits: ProxyLimits
}

type Wait = {
  readonly principal: Principal
  readonly connectorId: string
  /** Of the grant that was not enough: only another one ends the wait. Null: any does. */
  readonly grantEpoch: number | null
}

export type OwnStreams = ReturnType<typeof createOwnStreams>

/** Event streams of the sessions that Patchbay answers itself, and whatever else waits for somebody to connect. */
export function createOwnStreams({ resolveUpstream, changes, limits }: Deps) {
  const open = new Set<AbortController>()
  /** Who looks again when something happens to a connector. */
  const lookers = new Set<{ readonly connectorId: string; look(): void }>()
  const wake = (isMeant: (connectorId: string) => boolean) => {
    for (const { connectorId, look } of lookers) if (isMeant(connectorId)) look()
  }
  const unsubscribe = changes.subscribe({
    onChange: ({ ids: [id] }) => wake((connectorId) => connectorId === id),
    onLost: () => wake(() => true),
    onLive: () => wake(() => true),
  })

  async function isUsable({ principal, connectorId, grantEpoch }: Wait): Promise<boolean> {
    const resolution = await resolveUpstream(principal, connectorId)
    return resolution.kind === 'usable' && resolution.target.grantEpoch !== grantEpoch
  }

  /**
   * Waits until the connection can be used.
   *
   * @param ms longest wait
   * @returns false when the wait ended otherwise: time, the caller, the shutdown
   * @throws AppError when the caller may no longer ask
   */
  async function untilUsable(wait: Wait, { response }: Reply, ms: number): Promise<boolean> {
    const ending = new AbortController()
    const end = () => ending.abort()
    const timer = setTimeout(end, ms)
    response.once('close', end)
    if (response.destroyed) end()
    open.add(ending)
    try {
      while (!ending.signal.aborted) {
        // from before the look on, or a change during it would be missed
        const change = nextChange(wait.connectorId, ending.signal)
        if (await isUsable(wait)) return true
        await change
      }
      return false
    } finally {
      clearTimeout(timer)
      response.off('close', end)
      open.delete(ending)
      end()
    }
  }

  function nextChange(connectorId: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const looker = { connectorId, look: done }
      const timer = setTimeout(done, changes.isLive() ? lookMs.heard : lookMs.unheard)
      function done() {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        lookers.delete(looker)
        resolve()
      }
      lookers.add(looker)
      signal.addEventListener('abort', done)
      if (signal.aborted) done()
    })
  }

  return {
    untilUsable,

    /**
     * Answers with an event stream that says `first`, waits until the connection can be used, says `last`, and ends.
     *
     * @param first and `last`: JSON-RPC messages
     */
    async run(wait: Wait, reply: Reply, { first, last }: { first: readonly object[]; last: readonly object[] }) {
      const { response, headers } = reply
      response.writeHead(200, [
        ...headers,
        ...commonHeaders,
        ...['content-type', 'text/event-stream', 'x-accel-buffering', 'no'],
      ])
      response.flushHeaders()
      const say = (messages: readonly object[]) => {
        for (const message of messages) response.write(`event: message\ndata: ${JSON.stringify(message)}\n\n`)
      }
      say(first)
      const keepAlive = setInterval(() => response.write(': keepalive\n\n'), limits.keepAliveMs)
      try {
        if (await untilUsable(wait, reply, limits.streamLifeMs)) say(last)
      } finally {
        clearInterval(keepAlive)
        response.end()
      }
    },

    /** For the shutdown: nobody waits any longer. */
    retireAll(): void {
      for (const ending of open) ending.abort()
    },

    stop: unsubscribe,
  }
}
