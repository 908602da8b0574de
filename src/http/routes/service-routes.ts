import Router from '@koa/router'
import { homePage } from '../pages/home-page.ts'
import { sendPage } from '../send-page.ts'

type Deps = {
  readonly publicUrl: URL
  /** True while requests can be served: the database answers and no shutdown has begun. */
  readonly isReady: () => Promise<boolean>
}

/** Health, readiness, and the page at `/`. */
export function createServiceRoutes({ publicUrl, isReady }: Deps): Router {
  const router = new Router({ sensitive: true, strict: true })

  router.get('/', (ctx) => sendPage(ctx, publicUrl, (nonce) => homePage({}, nonce)))

  router.get('/healthz', (ctx) => {
    ctx.body = { status: 'ok' }
  })

  router.get('/readyz', async (ctx) => {
    const ready = await isReady()
    ctx.status = ready ? 200 : 503
    ctx.body = { status: ready ? 'ready' : 'not ready' }
  })

  return router
}
