import { createHmac } from 'node:crypto'
import { isSameSecret } from '../kernel/secret.ts'

type Keys = { readonly active: Buffer; readonly all: readonly Buffer[] }

/**
 * What a form of ours must bring along, so that no other page can send it: bound to one request and to who sits in front of
 * the browser, so a form shown to one person cannot be sent as another.
 */
export function createFormToken(keys: Keys) {
  const make = (key: Buffer, requestId: string, session: string | null) =>
    createHmac('sha256', key)
      .update(['form', requestId, session ?? ''].join('\n'))
      .digest('base64url')
  return {
    make: (requestId: string, session: string | null): string => make(keys.active, requestId, session),
    check: (token: string, requestId: string, session: string | null): boolean =>
      keys.all.some((key) => isSameSecret(make(key, requestId, session), token)),
  }
}

export type FormToken = ReturnType<typeof createFormToken>
