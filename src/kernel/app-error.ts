/**
 * Every way in which Patchbay says no. A code is stable, belongs to no transport, and has a face in each
 * dialect (`http/problems.ts` does not compile while one is missing).
 */
export type ErrorCode =
  // the request itself
  | 'invalid_request'
  | 'invalid_json'
  | 'unsupported_media_type'
  | 'payload_too_large'
  | 'method_not_allowed'
  | 'host_not_allowed'
  | 'origin_not_allowed'
  // who asks
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'issuer_unavailable'
  // connectors
  | 'url_invalid'
  | 'url_not_allowed'
  | 'client_id_missing'
  | 'connector_exists'
  | 'connector_disabled'
  | 'redirect_url_not_allowed'
  | 'subject_required'
  | 'not_connected'
  | 'not_refreshable'
  | 'link_expired'
  | 'access_token_rejected'
  | 'conflict'
  // being told of what happens
  | 'webhook_limit'
  | 'too_many_streams'
  // too much at once
  | 'rate_limited'
  | 'too_many_calls'
  | 'overloaded'
  // the upstream
  | 'egress_blocked'
  | 'upstream_unreachable'
  | 'upstream_timeout'
  | 'upstream_error'
  | 'upstream_protocol_error'
  | 'authorization_server_not_found'
  | 'authorization_server_invalid'
  | 'authorization_server_changed'
  | 'pkce_unsupported'
  | 'client_registration_failed'
  | 'client_id_required'
  | 'insufficient_scope'
  | 'authorization_denied'
  | 'authorization_failed'
  // ourselves
  | 'refresh_in_progress'
  | 'storage_unavailable'
  | 'internal'

export type FieldProblem = { readonly path: string; readonly message: string }

export type AppErrorOptions = {
  /** A sentence for the caller: what happened and what to do next. Never holds upstream text or a secret. */
  readonly publicDetail?: string
  /** Which fields of the request are wrong. */
  readonly fields?: readonly FieldProblem[]
  /** Facts for the log. Never holds a secret. */
  readonly meta?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

/**
 * The one error that Patchbay throws on purpose. `message` is for the log; callers see `publicDetail`, or the
 * standing sentence of the code.
 */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly publicDetail: string | undefined
  readonly fields: readonly FieldProblem[]
  readonly meta: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'AppError'
    this.code = code
    this.publicDetail = options.publicDetail
    this.fields = options.fields ?? []
    this.meta = options.meta ?? {}
  }
}

/** Narrows an unknown failure to an `AppError` of one code. */
export function isAppError(error: unknown, code?: ErrorCode): error is AppError {
  return error instanceof AppError && (code === undefined || error.code === code)
}
