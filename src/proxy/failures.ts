import { STATUS_CODES } from 'node:http'
import type { AppError, ErrorCode } from '../kernel/app-error.ts'
import { type Reply, writeAnswer } from './call.ts'

type Face = { readonly status: number; readonly detail: string; readonly retryAfterSeconds?: number }

const unreachable: Face = {
  status: 504,
  detail: 'The MCP server behind this connector cannot be reached. Try again later.',
}

/** How failures look to an MCP client. A code that is not here is ours to explain, not the caller's: 500. */
const faces: Partial<Record<ErrorCode, Face>> = {
  invalid_request: { status: 400, detail: 'This is not a request that an MCP endpoint understands.' },
  payload_too_large: { status: 413, detail: 'The request body is too long.' },
  method_not_allowed: { status: 405, detail: 'An MCP endpoint takes POST, GET and DELETE.' },
  origin_not_allowed: {
    status: 403,
    detail: 'Pages of this origin may not call the MCP endpoint. The setting CORS_ORIGINS lists those that may.',
  },
  unauthenticated: { status: 401, detail: 'Send an API key or an access token: Authorization: Bearer ...' },
  forbidden: { status: 403, detail: 'These credentials may not call this connector.' },
  not_found: { status: 404, detail: 'There is no such connector.' },
  connector_disabled: { status: 403, detail: 'This connector is switched off. Ask its owner or an administrator.' },
  // A blocked address and one that does not answer look alike, or the endpoint would be a port scanner (SS-10).
  egress_blocked: unreachable,
  url_not_allowed: unreachable,
  upstream_unreachable: unreachable,
  upstream_timeout: { status: 504, detail: 'The MCP server behind this connector did not answer in time.' },
  upstream_error: {
    status: 502,
    detail: 'The MCP server behind this connector broke off. Send the request again if it may be repeated.',
  },
  upstream_protocol_error: {
    status: 502,
    detail: 'The MCP server behind this connector sent an answer that is not valid HTTP or not MCP.',
  },
  rate_limited: {
    status: 429,
    detail: 'Too many calls in a short time. The setting MCP_RATE_LIMIT says how many are allowed. Wait, then go on.',
    retryAfterSeconds: 1,
  },
  too_many_calls: {
    status: 429,
    detail:
      'You have too many calls and event streams under way at this connector. The setting MCP_CALLS_PER_CALLER says how many are allowed. Close some, then try again.',
    retryAfterSeconds: 5,
  },
  overloaded: {
    status: 503,
    detail: 'Patchbay has as many connections to this MCP server open as it may. Send the request again.',
    retryAfterSeconds: 5,
  },
  refresh_in_progress: {
    status: 503,
    detail: 'The connection is being renewed. Send the request again.',
    retryAfterSeconds: 1,
  },
  issuer_unavailable: {
    status: 503,
    detail:
      'The issuer of your access token cannot be reached, so the token cannot be checked. Send the request again.',
    retryAfterSeconds: 5,
  },
  storage_unavailable: {
    status: 503,
    detail: 'Patchbay cannot reach its database. Send the request again.',
    retryAfterSeconds: 2,
  },
}

const internal: Face = { status: 500, detail: 'Something went wrong in Patchbay. The log has the details.' }

/** The HTTP status of a failure. */
export function statusOf(error: AppError): number {
  return (faces[error.code] ?? internal).status
}

/** A failure in words for the caller. */
export function detailOf(error: AppError): string {
  const face = faces[error.code] ?? internal
  return face === internal ? face.detail : (error.publicDetail ?? face.detail)
}

/**
 * Answers a failure as problem+json (RFC 9457). It holds no `error` member and no JSON-RPC code: clients that find out
 * which era a server speaks take those for the server's own word (MCP 2026-07-28, backward compatibility).
 */
export function writeFailure(reply: Reply, error: AppError, headers: readonly string[] = []): void {
  const face = faces[error.code] ?? internal
  const code = face === unreachable ? 'upstream_unreachable' : face === internal ? 'internal' : error.code
  const problem = {
    type: 'about:blank',
    title: STATUS_CODES[face.status],
    status: face.status,
    detail: detailOf(error),
    code,
    request_id: reply.call.requestId,
  }
  const known = error.meta.retryAfterSeconds
  const retryAfterSeconds = typeof known === 'number' ? known : face.retryAfterSeconds
  const retry = retryAfterSeconds === undefined ? [] : ['retry-after', String(retryAfterSeconds)]
  writeAnswer(reply, {
    status: face.status,
    headers: ['content-type', 'application/problem+json', ...retry, ...headers],
    body: JSON.stringify(problem),
  })
}
