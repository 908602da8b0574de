import { AppError } from '../../kernel/app-error.ts'

/** The other side does not speak HTTP/1.1 as RFC 9112 has it. The reason never quotes what it sent. */
export function protocolError(reason: string): AppError {
  return new AppError('upstream_protocol_error', 'the answer of the upstream was refused', { meta: { reason } })
}
