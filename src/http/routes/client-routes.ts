import Router from '@koa/router'
import { clientMetadataDocument, clientMetadataPath } from '../../upstream/client-metadata-document.ts'

type Deps = { readonly publicUrl: URL; readonly redirectUri: string }

/** What authorization servers fetch about us as their client. */
export function createClientRoutes({ publicUrl, redirectUri }: Deps): Router {
  const router = new Router({ sensitive: true, strict: true })
  const url = new URL(clientMetadataPath, publicUrl).href

  router.get(clientMetadataPath, (ctx) => {
    ctx.set({ 'Cache-Control': 'public, max-age=3600', 'Access-Control-Allow-Origin': '*' })
    ctx.body = clientMetadataDocument({ url, publicUrl, redirectUri })
  })

  return router
}
