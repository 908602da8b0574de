import { AppError } from '../../kernel/app-error.ts'
import type { UpstreamRequest } from './exchange.ts'

const token = /^[\w!#$%&'*+\-.^`|~]+$/
/** What a field value may not hold: a line end would begin a header of its own (RFC 9110 section 5.5). */
const foreignToValue = /[^\t\x20-\x7e\x80-\xff]/
const foreignToPath = /[^\x21-\x7e]/
/** Ours: they say where the message ends and what becomes of the connection. */
const framing = /^(?:host|connection|content-length|transfer-encoding|keep-alive|upgrade|expect|te|trailer)$/i

/**
 * The head of a request (RFC 9112 sections 3 and 6), with its empty line.
 *
 * @param host for the `Host` header, of a parsed URL
 * @throws AppError `internal` for what would not arrive as one request with these headers
 */
export function writeRequestHead({ method, path, headers, body }: UpstreamRequest, host: string): string {
  if (!token.test(method)) throw unfit('method')
  if (path[0] !== '/' || foreignToPath.test(path)) throw unfit('path')
  let head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n`
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] ?? ''
    const value = headers[index + 1] ?? ''
    if (!token.test(name) || framing.test(name)) throw unfit('header name')
    if (foreignToValue.test(value)) throw unfit('header value')
    head += `${name}: ${value}\r\n`
  }
  if (body !== null || method === 'POST') head += `content-length: ${body?.length ?? 0}\r\n`
  return `${head}\r\n`
}

function unfit(part: string): AppError {
  return new AppError('internal', 'the request cannot be written', { meta: { part } })
}
