import type { IncomingMessage } from 'node:http'
import rawBody from 'raw-body'
import { AppError } from '../kernel/app-error.ts'

const maxFormBytes = 8192

/**
 * Reads a form of one of our pages.
 *
 * @throws AppError `unsupported_media_type`, `invalid_request` (too long, cut off, a field twice)
 */
export async function readForm(request: IncomingMessage): Promise<ReadonlyMap<string, string>> {
  const mediaType = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase()
  if (mediaType !== 'application/x-www-form-urlencoded') throw new AppError('unsupported_media_type', 'not a form')
  const text = await rawBody(request, { limit: maxFormBytes, encoding: 'utf8' }).catch((cause: unknown) => {
    request.resume()
    throw new AppError('invalid_request', 'form not received', { cause })
  })
  const fields = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(text)) {
    if (fields.has(name)) throw new AppError('invalid_request', 'form field given twice')
    fields.set(name, value)
  }
  return fields
}
