import type { Caller } from '../access/caller.ts'
import type { Resolution, UpstreamTarget } from '../connections/resolve-upstream.ts'
import type { Principal } from '../kernel/principal.ts'
import type { Challenge } from '../upstream/challenge.ts'

/**
 * Tells who calls a connector, from the request's credentials: at once when that is remembered.
 *
 * @throws AppError `unauthenticated`, `invalid_request`, `forbidden`, `rate_limited`
 */
export type AuthenticateCaller = (
  request: {
    readonly rawHeaders: string[]
    readonly socket: { readonly remoteAddress?: string | undefined }
  },
  /** The request's one header of that name. */
  authorization: string | null,
  connectorId: string,
) => Caller | Promise<Caller>

/**
 * Finds the connection that serves this caller at this connector: at once when that is remembered.
 *
 * @throws AppError `not_found`, `forbidden`, `connector_disabled`
 */
export type ResolveUpstream = (principal: Principal, connectorId: string) => Resolution | Promise<Resolution>

/** What the upstream said when it refused the credential of a target. */
export type UnauthorizedAnswer = {
  readonly status: 401 | 403
  /** Attacker input. */
  readonly challenge: Challenge | null
  /** 1: the call itself. 2: its one replay with a renewed credential, so another refresh would not help. */
  readonly attempt: 1 | 2
}

/**
 * Told of a 401, or of a 403 `insufficient_scope`. Refreshes through the one refresh path, or records that the connection
 * needs a person. `usable` with another token or connection than before means: worth one more try.
 */
export type RecoverUnauthorized = (
  principal: Principal,
  target: UpstreamTarget,
  answer: UnauthorizedAnswer,
) => Promise<Resolution>

/** There is no grant to call the upstream with. */
export type NeedsConnection = Extract<Resolution, { kind: 'needs_connection' }>

/**
 * Connects for a caller who may, as the API's connect would. `usable` when nobody had to be asked, else there is a link now.
 *
 * @throws AppError why it cannot be connected
 */
export type BeginConnect = (principal: Principal, connectorId: string) => Promise<Resolution>
