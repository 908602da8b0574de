import type { IncomingMessage, ServerResponse } from 'node:http'
import type Router from '@koa/router'
import Koa from 'koa'
import { addressBlock } from '../access/address-block.ts'
import type { RateLimit } from '../access/rate-limit.ts'
import { AppError, isAppError } from '../kernel/app-error.ts'
import type { Logger } from '../log/logger.ts'
import { requestRecord } from './front-door.ts'
import { problemPage } from './pages/problem-page.ts'
import { toProblem } from './problems.ts'
import { sendPage } from './send-page.ts'

type Deps = {
  readonly routers: readonly Router[]
  /** Of requests, for each address. */
  readonly addressLimit: RateLimit
  readonly log: Logger
  readonly publicUrl: URL
}

/** Balancers ask for these, all from one address, and must not be told to wait. */
const unlimited: ReadonlySet<string> = new Set(['/healthz', '/readyz'])

/**
 * Everything but the MCP endpoints, as a plain Node handler. Every failure leaves as a problem document (RFC 9457), or as
 * a page where a person's browser asked for one.
 */
export function createKoaHandler({
  routers,
  addressLimit,
  log,
  publicUrl,
}: Deps): (req: IncomingMessage, res: ServerResponse) => Promise<void> {
  const app = new Koa()
  app.on('error', (err: unknown) => log.error({ err }, 'answer could not be sent'))
  app.use(async (ctx, next) => {
    const { requestId, address } = requestRecord(ctx.req)
    ctx.set('X-Content-Type-Options', 'nosniff')
    try {
      if (!unlimited.has(ctx.path)) await addressLimit.take(addressBlock(address))
      await next()
      if (ctx.status === 404 && ctx.body == null) throw new AppError('not_found', 'no such route')
      if (ctx.status === 405 || ctx.status === 501) throw new AppError('method_not_allowed', 'no such method here')
    } catch (error) {
      const problem = toProblem(error, requestId)
      if (problem.status >= 500 && problem.code === 'internal') log.error({ err: error, requestId }, 'request failed')
      else log.debug({ err: error, requestId }, 'request refused')
      if (problem.status === 503) ctx.set('Retry-After', '1')
      if (isAppError(error, 'rate_limited')) ctx.set('Retry-After', String(error.meta.retryAfterSeconds ?? 1))
      if (wantsPage(ctx)) {
        sendPage(ctx, publicUrl, (nonce) => problemPage({ status: problem.status, requestId }, nonce), problem.status)
        return
      }
      ctx.status = problem.status
      if (problem.code === 'unauthenticated') ctx.set('WWW-Authenticate', 'Bearer realm="patchbay"')
      ctx.set('Cache-Control', 'no-store')
      ctx.body = JSON.stringify(problem)
      ctx.type = 'application/problem+json'
    }
  })
  for (const router of routers) app.use(router.routes()).use(router.allowedMethods())
  return app.callback()
}

/** The API always answers JSON; elsewhere a browser's navigation gets a page. */
function wantsPage(ctx: Koa.Context): boolean {
  const isApi = ctx.path.startsWith('/api/') && !ctx.path.endsWith('/oauth/callback')
  return !isApi && ctx.accepts('json', 'html') === 'html'
}
