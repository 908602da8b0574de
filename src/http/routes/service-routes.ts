import Router from '@koa/router'
import { homePage } from '../pages/home-page.ts'
import { type ReadinessReport, readinessStatus } from '../readiness-report.ts'
import { sendPage } from '../send-page.ts'

type Deps = {
  readonly publicUrl: URL
  /** Whether requests can be served. */
  readonly readiness: () => Promise<ReadinessReport>
}

/** Health, readiness, and the page at `/`. */
export function createServiceRoutes({ publicUrl, readiness }: Deps): Router {
  const router = new Router({ sensitive: true, strict: true })

  router.get('/', (ctx) => sendPage(ctx, publicUrl, (nonce) => homePage({}, nonce)))

  router.get('/healthz', (ctx) => {
    ctx.body = { status: 'ok' }
  })

  router.get('/readyz', async (ctx) => {
    const report = await readiness()
    ctx.status = readinessStatus(report)
    ctx.body = report
  })

  return router
}
