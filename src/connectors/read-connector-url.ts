import type { AddressPolicy } from '../egress/address-policy.ts'
import { AppError, isAppError } from '../kernel/app-error.ts'
import { parseResourceUrl, type ResourceUrl } from '../kernel/resource-url.ts'

/**
 * Reads the `url` that a caller gave for a connector, and judges whether it may be connected to.
 *
 * @throws AppError `url_invalid`, `url_not_allowed`, both naming the field
 */
export function readConnectorUrl(raw: string, addressPolicy: AddressPolicy): ResourceUrl {
  const url = parseResourceUrl(raw)
  try {
    addressPolicy.checkUrl(new URL(url.href))
  } catch (error) {
    if (!isAppError(error, 'url_not_allowed') || error.publicDetail === undefined) throw error
    const { message, publicDetail, meta } = error
    throw new AppError('url_not_allowed', message, {
      publicDetail,
      fields: [{ path: 'url', message: publicDetail }],
      meta,
      cause: error,
    })
  }
  return url
}
