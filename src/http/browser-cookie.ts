import type { Context } from 'koa'
import { randomToken } from '../kernel/secret.ts'

/** The form of `randomToken()`: whatever else a cookie holds was not set by us. */
const tokenForm = /^[A-Za-z0-9_-]{43}$/

/**
 * The cookie that ties authorization attempts to the browser that began them. It says nothing about who the person is.
 *
 * `__Host-` with https. On loopback http a plain name, since Chromium drops prefixed cookies there and cookie jars do not
 * tell ports apart.
 */
export function createBrowserCookie(publicUrl: URL) {
  const isHttps = publicUrl.protocol === 'https:'
  const name = isHttps ? '__Host-pb_browser' : 'pb_browser'

  const read = (ctx: Context): string | null => {
    const value = ctx.cookies.get(name)
    return value !== undefined && tokenForm.test(value) ? value : null
  }

  return {
    read,
    /** The browser's token; a new one is set where there is none. Only ever after a person pressed a button. */
    ensure(ctx: Context): string {
      const token = read(ctx) ?? randomToken()
      const attributes = ['Path=/', 'HttpOnly', 'SameSite=Lax', 'Max-Age=3600', ...(isHttps ? ['Secure'] : [])]
      ctx.append('Set-Cookie', [`${name}=${token}`, ...attributes].join('; '))
      return token
    },
  }
}

export type BrowserCookie = ReturnType<typeof createBrowserCookie>
