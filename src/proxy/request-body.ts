import type { IncomingMessage } from 'node:http'
import { AppError } from '../kernel/app-error.ts'

const nothing = Buffer.alloc(0)

/** Beyond a refused body, this many times the limit is read and thrown away so that the caller gets to see the answer. */
const patience = 4

/**
 * Reads a request's body into memory. Never rejects, so that it may be begun before anybody waits for it.
 *
 * @param bounds the length that the request declares, and the longest that is accepted
 * @returns the body, empty when there is none; or `payload_too_large`; or `invalid_request` when the caller went away in
 * the middle
 */
export function readRequestBody(
  request: IncomingMessage,
  { contentLength, limitBytes }: { readonly contentLength: number | null; readonly limitBytes: number },
): Promise<Buffer | AppError> {
  return new Promise((resolve) => {
    if (contentLength !== null && contentLength > limitBytes) {
      resolve(tooLarge(limitBytes))
      discardRest(request, limitBytes)
      return
    }
    let first: Buffer | null = null
    let more: Buffer[] | null = null
    let length = 0
    const onData = (chunk: Buffer) => {
      length += chunk.length
      if (length > limitBytes) {
        request.off('data', onData)
        resolve(tooLarge(limitBytes))
        discardRest(request, limitBytes)
      } else if (first === null) first = chunk
      else if (more === null) more = [first, chunk]
      else more.push(chunk)
    }
    request.on('data', onData)
    // Nearly every call is one chunk: nothing is copied then.
    request.on('end', () => resolve(more === null ? (first ?? nothing) : Buffer.concat(more, length)))
    request.on('error', (cause) => resolve(new AppError('invalid_request', 'request body cut short', { cause })))
  })
}

function tooLarge(limitBytes: number): AppError {
  return new AppError('payload_too_large', 'request body over the limit', {
    publicDetail: `The request body is longer than ${limitBytes} bytes.`,
    meta: { limitBytes },
  })
}

/** Closing with unread bytes resets the connection, and the caller would never read why. */
function discardRest(request: IncomingMessage, limitBytes: number): void {
  let discarded = 0
  request.on('data', (chunk: Buffer) => {
    discarded += chunk.length
    if (discarded > patience * limitBytes) request.destroy()
  })
}
