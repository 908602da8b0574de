import type { Context } from 'koa'
import type { Secret } from '../kernel/secret.ts'

/** Sealed values are this long at most; browsers keep no more than 4 KB. */
const form = /^[\w.-]{1,3500}$/

/** The cookie of a login that is under way at the organisation's provider. Named and bound like the browser's cookie. */
export function createLoginCookie(publicUrl: URL) {
  const isHttps = publicUrl.protocol === 'https:'
  const name = isHttps ? '__Host-pb_login' : 'pb_login'
  const attributes = ['Path=/', 'HttpOnly', 'SameSite=Lax', ...(isHttps ? ['Secure'] : [])]

  return {
    read(ctx: Context): string | null {
      const value = ctx.cookies.get(name)
      return value !== undefined && form.test(value) ? value : null
    },
    set(ctx: Context, sealed: Secret): void {
      ctx.append('Set-Cookie', [`${name}=${sealed.reveal()}`, ...attributes, 'Max-Age=600'].join('; '))
    },
    clear(ctx: Context): void {
      ctx.append('Set-Cookie', [`${name}=`, ...attributes, 'Max-Age=0'].join('; '))
    },
  }
}

export type LoginCookie = ReturnType<typeof createLoginCookie>
