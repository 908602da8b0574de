import { type Clock, msOf } from '../kernel/clock.ts'
import { latencyClass, latencyClasses } from '../kernel/latency.ts'
import type { CallFacts, CallOutcome } from './call.ts'
import type { CallMethod } from './read-message.ts'
import type { CallCount } from './store.ts'

/** What is counted of a method and an outcome, whoever called: for the metrics, and of callers nobody knows. */
export type MethodCount = { readonly method: CallMethod; readonly outcome: CallOutcome; calls: number }

export type Taken = { readonly counts: CallCount[]; readonly methods: MethodCount[]; readonly dropped: number }

export type CallTally = {
  /** Counts a call that is over. Never throws, and costs about a microsecond. */
  add(call: CallFacts, outcome: CallOutcome, durationMs: number): void
  /** What was counted since the last time. */
  take(): Taken
  /** Puts counts back that could not be stored. */
  giveBack(counts: readonly CallCount[]): void
}

export type TallyBounds = {
  /** Different combinations that wait to be stored; calls of further ones are dropped. */
  readonly maxWaiting: number
  /** Different tools of a connector and different clients of a tenant in an hour; more are counted as `other`. */
  readonly maxTools: number
  readonly maxClients: number
  /** Connectors and tenants that are remembered in an hour. */
  readonly maxRemembered: number
}

export const defaultTallyBounds: TallyBounds = {
  maxWaiting: 20_000,
  maxTools: 200,
  maxClients: 100,
  maxRemembered: 10_000,
}

/** A kind of call, and where it is counted. */
type Recent = {
  readonly connectorId: string
  readonly method: CallMethod
  readonly tool: string
  readonly client: string | null
  readonly outcome: CallOutcome
  readonly count: CallCount
  readonly methodCount: MethodCount
}

/** Kinds of calls that are found again at once, for each principal. */
const maxRecent = 8
const hourMs = 3_600_000
/** In place of names beyond a bound. No tool of that name can be told from it, which is a small loss. */
const other = 'other'
/** Open for as long as somebody listens: how long says nothing. */
const endless: ReadonlySet<string> = new Set(['stream', 'subscriptions/listen'])

/**
 * Counts calls in memory by what they have in common. Callers choose the names of tools and clients, so how many are told apart
 * is bounded: by connector and tenant within an hour, and in all.
 */
export function createCallTally(clock: Clock, bounds: TallyBounds = defaultTallyBounds): CallTally {
  let waiting = new Map<string, CallCount>()
  let methods = new Map<string, MethodCount>()
  const nowMs = msOf(clock)
  let dropped = 0
  let hour = 0
  /** By principal. Who calls mostly does what it did a moment ago, and putting keys together costs more than all the counting. */
  const recent = new Map<string, Recent[]>()
  /** Connectors of whom somebody who may see them called this hour, and the tools that were told apart. */
  const connectors = new Map<string, { readonly tenantId: string; readonly tools: Set<string> }>()
  const clients = new Map<string, Set<string>>()

  function turnTo(now: number): void {
    hour = now
    recent.clear()
    connectors.clear()
    clients.clear()
  }

  /** The connector, when the tenant is known to have it: a caller may name any in the path. */
  function connectorOf({ connectorId, isResolved }: CallFacts, tenantId: string) {
    const known = connectors.get(connectorId)
    if (known !== undefined) return known.tenantId === tenantId ? known : null
    if (!isResolved || connectors.size >= bounds.maxRemembered) return null
    const fresh = { tenantId, tools: new Set<string>() }
    connectors.set(connectorId, fresh)
    return fresh
  }

  function clientOf(call: CallFacts, tenantId: string): string {
    const name = call.client ?? ''
    let known = clients.get(tenantId)
    if (known === undefined) {
      known = new Set()
      if (clients.size < bounds.maxRemembered) clients.set(tenantId, known)
    }
    return within(known, name, bounds.maxClients)
  }

  function countMethod(method: CallMethod, outcome: CallOutcome): MethodCount {
    const key = `${method} ${outcome}`
    let count = methods.get(key)
    if (count === undefined) {
      count = { method, outcome, calls: 0 }
      methods.set(key, count)
    }
    count.calls += 1
    return count
  }

  function isCountedAsRecent(call: CallFacts, principalId: string, outcome: CallOutcome, durationMs: number): boolean {
    const { connectorId, client, message } = call
    for (const kind of recent.get(principalId) ?? nothing) {
      if (
        kind.outcome === outcome &&
        kind.method === message.method &&
        kind.tool === message.tool &&
        kind.client === client &&
        kind.connectorId === connectorId
      ) {
        kind.methodCount.calls += 1
        countOne(kind.count, durationMs)
        return true
      }
    }
    return false
  }

  function remember(principalId: string, kind: Recent): void {
    const kinds = recent.get(principalId)
    if (kinds === undefined) {
      if (recent.size < bounds.maxRemembered) recent.set(principalId, [kind])
    } else if (kinds.push(kind) > maxRecent) kinds.shift()
  }

  return {
    add(call, outcome, durationMs) {
      const { tenantId, principalId, message } = call
      if (call.isForwarded) return
      const { method } = message
      if (tenantId === null || principalId === null) {
        // a browser's question before a call is no call
        if (outcome !== 'ok') countMethod(method, outcome)
        return
      }
      const now = Math.floor(nowMs() / hourMs)
      if (now !== hour) turnTo(now)
      if (isCountedAsRecent(call, principalId, outcome, durationMs)) return
      const methodCount = countMethod(method, outcome)
      const connector = connectorOf(call, tenantId)
      const connectorId = connector === null ? null : call.connectorId
      const tool = connector === null ? '' : within(connector.tools, message.tool, bounds.maxTools)
      const client = clientOf(call, tenantId)
      const key = keyOf(now, connectorId, principalId, method, tool, client, outcome)
      let count = waiting.get(key)
      if (count === undefined) {
        if (waiting.size >= bounds.maxWaiting) {
          dropped += 1
          return
        }
        // Written out, here and below: objects that are put together by spreading others are each of a shape of their own, and
        // whatever reads them on every call has to look that up anew (docs/performance.md).
        count = {
          hourAt: new Date(now * hourMs),
          tenantId,
          connectorId,
          principalId,
          method,
          tool,
          client,
          outcome,
          calls: 0,
          totalMs: 0,
          latency: new Array<number>(latencyClasses).fill(0),
        }
        waiting.set(key, count)
      }
      countOne(count, durationMs)
      if (connector === null) return
      remember(principalId, {
        connectorId: call.connectorId,
        method,
        tool: message.tool,
        client: call.client,
        outcome,
        count,
        methodCount,
      })
    },

    take() {
      const taken = { counts: [...waiting.values()], methods: [...methods.values()], dropped }
      waiting = new Map()
      methods = new Map()
      recent.clear()
      dropped = 0
      return taken
    },

    giveBack(counts) {
      for (const count of counts) {
        const { hourAt, connectorId, principalId, method, tool, client, outcome } = count
        const key = keyOf(hourAt.getTime() / hourMs, connectorId, principalId, method, tool, client, outcome)
        const known = waiting.get(key)
        if (known !== undefined) {
          known.calls += count.calls
          known.totalMs += count.totalMs
          for (const [index, calls] of count.latency.entries())
            known.latency[index] = (known.latency[index] ?? 0) + calls
        } else if (waiting.size < bounds.maxWaiting) waiting.set(key, count)
        else dropped += count.calls
      }
    },
  }
}

const nothing: readonly Recent[] = []

function countOne(count: CallCount, durationMs: number): void {
  count.calls += 1
  if (endless.has(count.method)) return
  count.totalMs += durationMs
  const index = latencyClass(durationMs)
  count.latency[index] = (count.latency[index] ?? 0) + 1
}

function keyOf(hour: number, connectorId: string | null, ...names: readonly string[]): string {
  return `${hour}\n${connectorId ?? ''}\n${names.join('\n')}`
}

/** The name, unless it would be one too many. */
function within(known: Set<string>, name: string, max: number): string {
  if (name === '' || known.has(name)) return name
  if (known.size >= max) return other
  known.add(name)
  return name
}
