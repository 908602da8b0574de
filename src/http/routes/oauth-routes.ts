import Router from '@koa/router'
import type { Context } from 'koa'
import type { AuthorizationServer } from '../../authorization-server/authorization-server.ts'
import { oauthPaths, rootAliases } from '../../authorization-server/paths.ts'
import type { StoredKeys } from '../../vault/stored-keys.ts'

type Deps = {
  readonly authorizationServer: AuthorizationServer
  readonly signingKeys: Pick<StoredKeys, 'published'>
}

const metadataPaths = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration']
/** Browser-based hosts call these from pages of their own; no cookie of ours means anything there. */
const openToPages = { 'Access-Control-Allow-Origin': '*' }

/** The OAuth that hosts meet: metadata, keys, and what oidc-provider answers, below `/oauth` and at the root. */
export function createOauthRoutes({ authorizationServer, signingKeys }: Deps): Router {
  const router = new Router({ sensitive: true, strict: true })

  router.get(oauthPaths.jwks, async (ctx) => {
    ctx.set({ ...openToPages, 'Cache-Control': 'public, max-age=300' })
    ctx.body = await signingKeys.published()
  })

  const { authorization, token, revocation, introspection } = oauthPaths
  router.get([...metadataPaths, authorization, `${authorization}/:uid`], handOver)
  for (const path of [token, revocation, introspection]) router.post(path, handOver).options(path, handOver)
  router.get('/authorize', handOver)
  for (const path of ['/token', '/revoke', '/introspect']) router.post(path, handOver).options(path, handOver)

  return router

  async function handOver(ctx: Context): Promise<void> {
    const alias = rootAliases[ctx.path]
    if (alias !== undefined) ctx.req.url = alias + (ctx.search ?? '')
    ctx.respond = false
    await authorizationServer.handle(ctx.req, ctx.res)
  }
}
