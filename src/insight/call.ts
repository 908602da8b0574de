import type { ErrorCode } from '../kernel/app-error.ts'
import type { Message } from './read-message.ts'

/**
 * How a call ended: well, or where it failed. `invalid`: at the caller's request; `authorization`: there is no right or no
 * grant; `limit`: there was too much at once; `patchbay`: here; `upstream`: there, an answer of 400 or more included;
 * `client_gone`: the caller hung up, which is how clients cancel.
 */
export const callOutcomes = ['ok', 'invalid', 'authorization', 'limit', 'patchbay', 'upstream', 'client_gone'] as const
export type CallOutcome = (typeof callOutcomes)[number]

/** What is known of one call at an MCP endpoint by the time it is over. Filled in on its way. */
export type CallFacts = {
  /** As the path says, so nobody's word for it that there is one, before `isResolved`. */
  readonly connectorId: string
  tenantId: string | null
  principalId: string | null
  /** The host or program that calls, by the name it goes by; null where it is not known. */
  client: string | null
  message: Message
  /** The caller may see this connector. */
  isResolved: boolean
  /** It comes from another process of ours, which counts it. */
  isForwarded: boolean
  /** Why it was refused or broken off by us or the upstream; `needs_connection`: answered with a link instead. */
  failure: ErrorCode | 'needs_connection' | null
}

const outcomeOfFailure: Partial<Record<ErrorCode | 'needs_connection', CallOutcome>> = {
  needs_connection: 'authorization',
  unauthenticated: 'authorization',
  forbidden: 'authorization',
  connector_disabled: 'authorization',
  not_connected: 'authorization',
  issuer_unavailable: 'authorization',
  refresh_in_progress: 'authorization',
  rate_limited: 'limit',
  too_many_calls: 'limit',
  payload_too_large: 'limit',
  overloaded: 'limit',
  egress_blocked: 'upstream',
  url_not_allowed: 'upstream',
  upstream_unreachable: 'upstream',
  upstream_timeout: 'upstream',
  upstream_error: 'upstream',
  upstream_protocol_error: 'upstream',
  storage_unavailable: 'patchbay',
  internal: 'patchbay',
}

/**
 * Where a call ended.
 *
 * @param status of the answer; null when there was none
 * @param isComplete the answer went out to its end
 */
export function outcomeOf(
  { failure, tenantId }: Pick<CallFacts, 'failure' | 'tenantId'>,
  status: number | null,
  isComplete: boolean,
): CallOutcome {
  if (failure !== null) return outcomeOfFailure[failure] ?? 'invalid'
  if (!isComplete || status === null) return 'client_gone'
  if (status < 400) return 'ok'
  // who is not known yet was refused at the door
  return tenantId === null ? 'invalid' : 'upstream'
}
