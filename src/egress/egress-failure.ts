import { errors } from 'undici'
import { AppError, type ErrorCode, isAppError } from '../kernel/app-error.ts'

type FailureCode = Extract<
  ErrorCode,
  'egress_blocked' | 'upstream_unreachable' | 'upstream_timeout' | 'upstream_protocol_error'
>

/** What is known about the request that failed. Only the origin is told: a path or query may hold a secret. */
export type RequestFacts = { readonly url: URL; readonly isRequestSent: boolean }

/** Codes of undici and of the system that tell more than "could not be reached". */
const codes: Readonly<Record<string, FailureCode>> = {
  ETIMEDOUT: 'upstream_timeout',
  UND_ERR_CONNECT_TIMEOUT: 'upstream_timeout',
  UND_ERR_HEADERS_TIMEOUT: 'upstream_timeout',
  UND_ERR_BODY_TIMEOUT: 'upstream_timeout',
  http_parser: 'upstream_protocol_error',
  UND_ERR_HEADERS_OVERFLOW: 'upstream_protocol_error',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'upstream_protocol_error',
  UND_ERR_RES_EXCEEDED_MAX_SIZE: 'upstream_protocol_error',
  ERR_SSL_WRONG_VERSION_NUMBER: 'upstream_protocol_error',
}

/**
 * Makes an `AppError` of whatever ended a request: `egress_blocked`, `upstream_timeout`, `upstream_protocol_error`,
 * else `upstream_unreachable`. `meta` is for the log: origin, reason, and whether bytes may have reached the server.
 */
export function toEgressError(error: unknown, { url, isRequestSent }: RequestFacts): AppError {
  const meta = { origin: url.origin, isRequestSent }
  if (isAppError(error, 'url_not_allowed') || isAppError(error, 'egress_blocked')) {
    return new AppError('egress_blocked', 'the egress guard refused the destination', {
      meta: { ...error.meta, ...meta },
      cause: error,
    })
  }
  if (error instanceof AppError) return error
  // The cause is left out: undici's errors carry what the upstream sent.
  const reason = error instanceof errors.HTTPParserError ? 'http_parser' : systemCodeOf(error)
  return new AppError(codes[reason] ?? 'upstream_unreachable', 'the request failed', { meta: { ...meta, reason } })
}

/** A failure that the guard itself declares, such as a limit that was passed. */
export function egressError(code: FailureCode, reason: string, { url, isRequestSent }: RequestFacts): AppError {
  return new AppError(code, 'the request failed', { meta: { origin: url.origin, isRequestSent, reason } })
}

/**
 * False only when it is certain that no byte of the request left: then it may be repeated whatever it does.
 * Anything that is not a failure of the guard's counts as sent.
 */
export function mayHaveBeenSent(error: unknown): boolean {
  return !(error instanceof AppError && error.meta.isRequestSent === false)
}

/** A happy-eyeballs connect fails with one error per address; the first speaks for all. */
function systemCodeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return systemCodeOf(error.errors[0])
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : 'unknown'
}
