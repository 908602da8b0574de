import type { Context } from 'koa'
import type { Secret } from '../kernel/secret.ts'

/** The form of `randomToken()`: whatever else a cookie holds was not set by us. */
const tokenForm = /^[A-Za-z0-9_-]{43}$/

/** The cookie of a browser in which we know who sits there. Named and bound like the browser's cookie. */
export function createPersonCookie(publicUrl: URL) {
  const isHttps = publicUrl.protocol === 'https:'
  const name = isHttps ? '__Host-pb_person' : 'pb_person'
  const attributes = ['Path=/', 'HttpOnly', 'SameSite=Lax', ...(isHttps ? ['Secure'] : [])]

  return {
    read(ctx: Context): string | null {
      const value = ctx.cookies.get(name)
      return value !== undefined && tokenForm.test(value) ? value : null
    },
    set(ctx: Context, token: Secret): void {
      ctx.append('Set-Cookie', [`${name}=${token.reveal()}`, ...attributes, 'Max-Age=3600'].join('; '))
    },
    clear(ctx: Context): void {
      ctx.append('Set-Cookie', [`${name}=`, ...attributes, 'Max-Age=0'].join('; '))
    },
  }
}

export type PersonCookie = ReturnType<typeof createPersonCookie>
