import Router from '@koa/router'
import { clientKeysPath, clientMetadataDocument, clientMetadataPath } from '../../upstream/client-metadata-document.ts'
import type { StoredKeys } from '../../vault/stored-keys.ts'

type Deps = { readonly publicUrl: URL; readonly redirectUri: string; readonly clientKeys: StoredKeys }

const publicHeaders = { 'Cache-Control': 'public, max-age=3600', 'Access-Control-Allow-Origin': '*' }

/** What authorization servers fetch about us as their client. */
export function createClientRoutes({ publicUrl, redirectUri, clientKeys }: Deps): Router {
  const router = new Router({ sensitive: true, strict: true })
  const url = new URL(clientMetadataPath, publicUrl).href

  router.get(clientMetadataPath, (ctx) => {
    ctx.set(publicHeaders)
    ctx.body = clientMetadataDocument({ url, publicUrl, redirectUri })
  })

  router.get(clientKeysPath, async (ctx) => {
    ctx.set(publicHeaders)
    ctx.body = await clientKeys.published()
  })

  return router
}
