import { AppError, type ErrorCode, isAppError } from '../kernel/app-error.ts'

/** Codes of the system, and of undici's connector, for what befalls a request before its answer. */
const failureCodes: Readonly<Record<string, ErrorCode>> = {
  ETIMEDOUT: 'upstream_timeout',
  UND_ERR_CONNECT_TIMEOUT: 'upstream_timeout',
  ECONNRESET: 'upstream_error',
  EPIPE: 'upstream_error',
  // file descriptors have run out, here or on the machine
  EMFILE: 'overloaded',
  ENFILE: 'overloaded',
  // errors without a code are mistakes of ours
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
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'none'
}
