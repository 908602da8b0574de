import type { IncomingMessage } from 'node:http'
import getRawBody from 'raw-body'
import { AppError } from '../kernel/app-error.ts'

const maxBodyBytes = 256 * 1024
const maxDepth = 20

/**
 * Reads a JSON body: bounded, strict UTF-8, of bounded depth, with strings that PostgreSQL can store.
 *
 * @returns undefined when the request has no body
 * @throws AppError `unsupported_media_type`, `payload_too_large`, `invalid_json`, `invalid_request` (cut off)
 */
export async function readJsonBody(request: IncomingMessage): Promise<unknown> {
  const length = request.headers['content-length']
  if (length === '0' || (length === undefined && request.headers['transfer-encoding'] === undefined)) return undefined
  const mediaType = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase()
  if (mediaType !== 'application/json' || request.headers['content-encoding'] !== undefined) {
    throw new AppError('unsupported_media_type', 'body is not plain JSON')
  }
  const bytes = await readBytes(request, length)
  if (bytes.length === 0) return undefined
  const value = parse(decode(bytes))
  checkValue(value)
  return value
}

async function readBytes(request: IncomingMessage, length: string | undefined): Promise<Buffer> {
  try {
    return await getRawBody(request, { limit: maxBodyBytes, ...(length === undefined ? {} : { length }) })
  } catch (cause) {
    // what is left of it would stand in the way of the connection's next request
    request.resume()
    const isTooLarge = cause instanceof Error && 'type' in cause && cause.type === 'entity.too.large'
    throw isTooLarge
      ? new AppError('payload_too_large', 'body over the limit')
      : new AppError('invalid_request', 'body not received whole', { cause, publicDetail: 'The body was cut off.' })
  }
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new AppError('invalid_json', 'body is not UTF-8', { publicDetail: 'The body is not valid UTF-8.' })
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new AppError('invalid_json', 'body is not JSON')
  }
}

/** Walks the value without recursion: the depth is the sender's choice until it has been checked. */
function checkValue(root: unknown): void {
  const pending: { readonly value: unknown; readonly depth: number }[] = [{ value: root, depth: 1 }]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { value, depth } = next
    if (typeof value === 'string') checkString(value)
    if (typeof value !== 'object' || value === null) continue
    if (depth > maxDepth)
      throw new AppError('invalid_json', 'too deep', {
        publicDetail: `The JSON is nested deeper than ${maxDepth} levels.`,
      })
    for (const [key, member] of Object.entries(value)) {
      checkString(key)
      if (key === '__proto__')
        throw new AppError('invalid_json', '__proto__ key', { publicDetail: 'The key "__proto__" is not allowed.' })
      pending.push({ value: member, depth: depth + 1 })
    }
  }
}

function checkString(text: string): void {
  // neither can be stored in PostgreSQL: NUL by its nature, a lone surrogate because it is no UTF-8
  if (text.includes('\u0000') || !isWellFormed(text)) {
    throw new AppError('invalid_json', 'string with NUL or lone surrogate', {
      publicDetail: 'A string holds a NUL character or half of a surrogate pair.',
    })
  }
}

const isWellFormed = (text: string) => !/\p{Surrogate}/u.test(text)
