import type { PrincipalKind } from '../kernel/principal.ts'
import type { CallOutcome } from './call.ts'

/** Calls of one hour that are alike in everything that is counted. */
export type CallCount = {
  readonly hourAt: Date
  readonly tenantId: string
  /** Null for calls that did not get so far as to a connector. */
  readonly connectorId: string | null
  readonly principalId: string
  readonly method: string
  readonly tool: string
  readonly client: string
  readonly outcome: CallOutcome
  calls: number
  /** Of those whose time was taken: streams that only listen have none. */
  totalMs: number
  /** How many of these took how long: by class, see `kernel/latency.ts`. */
  readonly latency: number[]
}

/** By what a report may be broken down. */
export const callGroups = ['connector', 'method', 'tool', 'principal', 'client', 'outcome', 'hour', 'day'] as const
export type CallGroup = (typeof callGroups)[number]

export type CallQuery = {
  readonly from: Date
  readonly to: Date
  readonly groupBy: readonly CallGroup[]
  readonly connectorId?: string
  readonly principalId?: string
  readonly method?: string
  readonly tool?: string
  readonly client?: string
  readonly outcome?: CallOutcome
  readonly limit: number
}

/** One line of a report: the groups that were asked for, and what was counted. */
export type CallReportLine = {
  readonly connectorId?: string | null
  readonly method?: string
  readonly tool?: string
  readonly principal?: { readonly id: string; readonly kind: PrincipalKind | null; readonly subject: string | null }
  readonly client?: string
  readonly outcome?: CallOutcome
  /** When the hour or the day began, UTC. */
  readonly time?: Date
  readonly calls: number
  /** Neither `ok` nor `client_gone`. */
  readonly failed: number
  readonly totalMs: number
  readonly latency: readonly number[]
}

export type CallCountStore = {
  /** Adds to what is counted already. All of it or nothing. */
  add(counts: readonly CallCount[]): Promise<void>
  /** Most calls first; with hours or days, in their order. `totalCount`: lines there are in all. */
  report(
    tenantId: string,
    query: CallQuery,
  ): Promise<{ readonly lines: readonly CallReportLine[]; readonly totalCount: number }>
}
