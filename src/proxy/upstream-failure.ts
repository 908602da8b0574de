import { AppError, type ErrorCode, isAppError } from '../kernel/app-error.ts'

/** undici's and the system's codes for what befalls a request before its answer. */
const failureCodes: Readonly<Record<string, ErrorCode>> = {
  ETIMEDOUT: 'upstream_timeout',
  UND_ERR_CONNECT_TIMEOUT: 'upstream_timeout',
  UND_ERR_HEADERS_TIMEOUT: 'upstream_timeout',
  UND_ERR_BODY_TIMEOUT: 'upstream_timeout',
  UND_ERR_HEADERS_OVERFLOW: 'upstream_protocol_error',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'upstream_protocol_error',
  HTTPParserError: 'upstream_protocol_error',
  UND_ERR_SOCKET: 'upstream_error',
  ECONNRESET: 'upstream_error',
  EPIPE: 'upstream_error',
  // file descriptors have run out, here or on the machine
  EMFILE: 'overloaded',
  ENFILE: 'overloaded',
  // A header or path that undici refuses to write, and errors without a code, are mistakes of ours.
  UND_ERR_INVALID_ARG: 'internal',
  none: 'internal',
}

/** Makes an `AppError` of whatever ended a request to the upstream before its answer was complete. */
export function toUpstreamFailure(error: unknown): AppError {
  if (isAppError(error)) return error
  const reason = reasonOf(error)
  return new AppError(failureCodes[reason] ?? 'upstream_unreachable', 'the call to the upstream failed', {
    meta: { reason },
    cause: error,
  })
}

/** Connecting to several addresses fails with one error for each; the first speaks for all. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0])
  if (!(error instanceof Error)) return 'none'
  // undici 7 means to give these a code and does not.
  if (error.name === 'HTTPParserError') return error.name
  return 'code' in error && typeof error.code === 'string' ? error.code : 'none'
}
