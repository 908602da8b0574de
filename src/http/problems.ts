import { AppError, type ErrorCode } from '../kernel/app-error.ts'

type Face = {
  readonly status: number
  readonly title: string
  /** What callers read when the error brings no sentence of its own. */
  readonly detail: string
}

/** How each code looks as an HTTP problem (RFC 9457). A code without a face does not compile. */
export const problemFaces: Readonly<Record<ErrorCode, Face>> = {
  invalid_request: { status: 400, title: 'Invalid request', detail: 'The request is not valid.' },
  invalid_json: { status: 400, title: 'Invalid JSON', detail: 'The body is not valid JSON.' },
  unsupported_media_type: {
    status: 415,
    title: 'Unsupported media type',
    detail: 'Send the body as application/json.',
  },
  payload_too_large: { status: 413, title: 'Body too large', detail: 'The body is larger than 256 KB.' },
  method_not_allowed: { status: 405, title: 'Method not allowed', detail: 'This address does not know that method.' },
  host_not_allowed: { status: 421, title: 'Wrong host', detail: 'This server does not answer for that host name.' },
  origin_not_allowed: {
    status: 403,
    title: 'Origin not allowed',
    detail: 'Pages of that origin may not call this address.',
  },
  unauthenticated: {
    status: 401,
    title: 'Not authenticated',
    detail: 'Send an API key: `Authorization: Bearer pbk_...`.',
  },
  forbidden: { status: 403, title: 'Not allowed', detail: 'This key may not do that.' },
  not_found: { status: 404, title: 'Not found', detail: 'There is nothing here, or nothing that you may see.' },
  issuer_unavailable: {
    status: 503,
    title: 'Issuer unavailable',
    detail: 'The issuer of your access token cannot be reached, so the token cannot be checked. Try again in a moment.',
  },
  url_invalid: { status: 400, title: 'Invalid URL', detail: 'The URL is not valid.' },
  url_not_allowed: {
    status: 400,
    title: 'URL not allowed',
    detail: 'This installation does not connect to that address.',
  },
  client_id_missing: { status: 400, title: 'client_id missing', detail: 'A client_secret needs a client_id.' },
  connector_exists: { status: 409, title: 'Connector exists', detail: 'You have a connector for this URL already.' },
  connector_disabled: {
    status: 409,
    title: 'Connector disabled',
    detail: 'This connector is switched off. Switch it on with PATCH {"enabled": true}.',
  },
  conflict: {
    status: 409,
    title: 'Conflict',
    detail: 'Somebody changed this at the same moment. Read it again and retry.',
  },
  webhook_limit: {
    status: 409,
    title: 'Too many webhooks',
    detail: 'There can be no more webhooks. Delete one first.',
  },
  rate_limited: {
    status: 429,
    title: 'Too many requests',
    detail: 'Too many requests in a short time. Wait, then go on.',
  },
  too_many_calls: {
    status: 429,
    title: 'Too many calls',
    detail: 'You have too many calls under way. Wait until some are over.',
  },
  overloaded: { status: 503, title: 'Overloaded', detail: 'Patchbay is at its limits. Try again in a moment.' },
  too_many_streams: {
    status: 429,
    title: 'Too many event streams',
    detail: 'You have as many event streams open as one caller may have. Close one first.',
  },
  redirect_url_not_allowed: {
    status: 400,
    title: 'redirect_url not allowed',
    detail: 'This redirect_url is not on the list of allowed ones.',
  },
  subject_required: { status: 400, title: 'Subject required', detail: 'Say whose connection is meant with `subject`.' },
  not_connected: { status: 400, title: 'Not connected', detail: 'This connector is not connected.' },
  not_refreshable: {
    status: 409,
    title: 'Nothing to refresh with',
    detail:
      'This connection has no refresh token: it was given a token, or its server gives none. Connect again when it runs out.',
  },
  link_expired: {
    status: 410,
    title: 'Link expired',
    detail: 'This link no longer works. Connect again to get a new one.',
  },
  access_token_rejected: {
    status: 400,
    title: 'Access token rejected',
    detail: 'The server does not accept this access_token. Nothing was stored.',
  },
  egress_blocked: { status: 504, title: 'Server unreachable', detail: 'The server could not be reached.' },
  upstream_unreachable: { status: 504, title: 'Server unreachable', detail: 'The server could not be reached.' },
  upstream_timeout: { status: 504, title: 'Server too slow', detail: 'The server did not answer in time.' },
  upstream_error: { status: 502, title: 'Server error', detail: 'The server answered with an error.' },
  upstream_protocol_error: {
    status: 502,
    title: 'Unexpected answer',
    detail: 'The server answered with something that does not follow the protocol.',
  },
  authorization_server_not_found: {
    status: 502,
    title: 'No authorization server',
    detail:
      'The server asks for authorization but does not say where to get it (no protected resource metadata, no authorization server metadata). If it takes a fixed token, send it as `access_token`.',
  },
  authorization_server_invalid: {
    status: 502,
    title: 'Invalid authorization server',
    detail: 'What the server says about its authorization server contradicts itself, so no credential was sent there.',
  },
  authorization_server_changed: {
    status: 409,
    title: 'Authorization server changed',
    detail:
      'This server now names another authorization server than the one that its preset belongs to, so the preset was not used. An operator can accept the new one with: patchbay presets repin <id>',
  },
  pkce_unsupported: {
    status: 502,
    title: 'PKCE not supported',
    detail: 'The authorization server does not offer PKCE with S256, which MCP requires.',
  },
  client_registration_failed: {
    status: 502,
    title: 'Client registration failed',
    detail: 'The authorization server did not register us as a client. Register an app there and give its client_id.',
  },
  client_id_required: {
    status: 409,
    title: 'client_id required',
    detail: 'This server does not register clients by itself. Register an app there and give its client_id.',
  },
  insufficient_scope: {
    status: 502,
    title: 'Permissions missing',
    detail:
      'The server wants more permissions than the authorization brought. Connect again; the new link asks for them.',
  },
  authorization_denied: { status: 400, title: 'Authorization denied', detail: 'The authorization was denied.' },
  authorization_failed: { status: 502, title: 'Authorization failed', detail: 'The authorization did not succeed.' },
  refresh_in_progress: {
    status: 503,
    title: 'Refresh in progress',
    detail: 'The token is being refreshed right now. Try again in a moment.',
  },
  storage_unavailable: {
    status: 503,
    title: 'Storage unavailable',
    detail: 'The database is out of reach. Try again in a moment.',
  },
  internal: {
    status: 500,
    title: 'Internal error',
    detail: 'Something went wrong on our side. Give the request_id when you report it.',
  },
}

/** An RFC 9457 problem document, with our code and the request's id. */
export type Problem = {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: ErrorCode
  readonly errors?: readonly { readonly path: string; readonly message: string }[]
  readonly request_id: string
}

/** Turns any failure into what a caller may see of it. What is not ours is `internal`, without a word of its text. */
export function toProblem(error: unknown, requestId: string): Problem {
  const code = error instanceof AppError ? error.code : 'internal'
  const face = problemFaces[code]
  const { publicDetail, fields } = error instanceof AppError ? error : { publicDetail: undefined, fields: [] }
  return {
    type: `urn:patchbay:problem:${code}`,
    title: face.title,
    status: face.status,
    detail: publicDetail ?? face.detail,
    code,
    ...(fields.length === 0 ? {} : { errors: fields }),
    request_id: requestId,
  }
}
