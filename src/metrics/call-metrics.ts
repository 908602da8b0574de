import { Counter, type Registry } from 'prom-client'

/** What is counted of calls at the MCP endpoints, by words of closed lists. */
export type CallMetrics = {
  counted(method: string, outcome: string, calls: number): void
  /** Calls that analytics will not show, since too many different ones waited to be stored. */
  dropped(calls: number): void
}

export function createCallMetrics(registry: Registry): CallMetrics {
  const registers = [registry]
  const calls = new Counter({
    name: 'patchbay_mcp_calls_total',
    help: 'Calls at the MCP endpoints that are over, by method and by how they ended, or where they failed.',
    labelNames: ['method', 'outcome'] as const,
    registers,
  })
  const dropped = new Counter({
    name: 'patchbay_mcp_calls_uncounted_total',
    help: 'Calls that analytics does not show, since too many different ones waited for the database.',
    registers,
  })
  return {
    counted: (method, outcome, count) => calls.inc({ method, outcome }, count),
    dropped: (count) => dropped.inc(count),
  }
}
