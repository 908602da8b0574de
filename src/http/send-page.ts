import type { Context } from 'koa'
import { randomToken } from '../kernel/secret.ts'
import { pageHeaders } from './pages/page-headers.ts'

/** Answers with a page of ours: its headers, and a style nonce of its own. */
export function sendPage(ctx: Context, publicUrl: URL, page: (nonce: string) => string, status = 200): void {
  const nonce = randomToken()
  ctx.status = status
  ctx.body = page(nonce)
  ctx.set({ ...pageHeaders({ nonce, isHttps: publicUrl.protocol === 'https:' }) })
}
