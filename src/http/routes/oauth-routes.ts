import Router from '@koa/router'
import type { Context } from 'koa'
import type { AuthorizationServer } from '../../authorization-server/authorization-server.ts'
import { ClientMetadataError } from '../../authorization-server/client-metadata.ts'
import { oauthPaths, rootAliases } from '../../authorization-server/paths.ts'
import type { RegisterOauthClient } from '../../authorization-server/register-client.ts'
import { isAppError } from '../../kernel/app-error.ts'
import type { StoredKeys } from '../../vault/stored-keys.ts'
import { readJsonBody } from '../json-body.ts'
import { representRegistration } from '../representations.ts'

type Deps = {
  readonly authorizationServer: AuthorizationServer
  readonly registerClient: RegisterOauthClient
  readonly signingKeys: Pick<StoredKeys, 'published'>
}

const maxRegistrationBytes = 16 * 1024
const metadataPaths = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration']
/** Browser-based hosts call these from pages of their own; no cookie of ours means anything there. */
const openToPages = { 'Access-Control-Allow-Origin': '*' }

/** The OAuth that hosts meet: metadata, keys, registration, and what oidc-provider answers, below `/oauth` and at the root. */
export function createOauthRoutes({ authorizationServer, registerClient, signingKeys }: Deps): Router {
  const router = new Router({ sensitive: true, strict: true })

  router.get(oauthPaths.jwks, async (ctx) => {
    ctx.set({ ...openToPages, 'Cache-Control': 'public, max-age=300' })
    ctx.body = await signingKeys.published()
  })

  for (const path of [oauthPaths.registration, '/register']) {
    router.options(path, preflight)
    router.post(path, register)
  }

  const { authorization, token, revocation, introspection } = oauthPaths
  router.get([...metadataPaths, authorization, `${authorization}/:uid`], handOver)
  for (const path of [token, revocation, introspection]) router.post(path, handOver).options(path, handOver)
  router.get('/authorize', handOver)
  for (const path of ['/token', '/revoke', '/introspect']) router.post(path, handOver).options(path, handOver)

  return router

  async function register(ctx: Context): Promise<void> {
    ctx.set({ ...openToPages, 'Cache-Control': 'no-store' })
    try {
      if (Number(ctx.get('Content-Length')) > maxRegistrationBytes) throw tooLong()
      const body = await readJsonBody(ctx.req)
      if (JSON.stringify(body ?? null).length > maxRegistrationBytes) throw tooLong()
      const registration = await registerClient(body, ctx.req.socket.remoteAddress ?? '')
      if (registration.kind === 'too_many') {
        ctx.set('Retry-After', String(registration.retryAfterSeconds))
        return refuse(ctx, 429, 'temporarily_unavailable', 'Too many registrations. Try again later.')
      }
      ctx.status = 201
      ctx.body = representRegistration(registration)
    } catch (error) {
      if (error instanceof ClientMetadataError) return refuse(ctx, 400, error.code, error.message)
      if (!isAppError(error)) throw error
      const isOurs = error.code === 'internal' || error.code === 'storage_unavailable'
      if (isOurs) throw error
      refuse(ctx, 400, 'invalid_client_metadata', error.publicDetail ?? 'Send the metadata as a JSON object.')
    }
  }

  async function handOver(ctx: Context): Promise<void> {
    const alias = rootAliases[ctx.path]
    if (alias !== undefined) ctx.req.url = alias + (ctx.search ?? '')
    ctx.respond = false
    await authorizationServer.handle(ctx.req, ctx.res)
  }
}

function preflight(ctx: Context): void {
  ctx.set({
    ...openToPages,
    'Access-Control-Allow-Methods': 'POST',
    'Access-Control-Allow-Headers': 'content-type, mcp-protocol-version',
    'Access-Control-Max-Age': '3600',
  })
  ctx.status = 204
}

/** RFC 7591 section 3.2.2. */
function refuse(ctx: Context, status: number, error: string, description: string): void {
  ctx.status = status
  ctx.body = { error, error_description: description }
}

const tooLong = () => new ClientMetadataError('invalid_client_metadata', 'The metadata is longer than 16 KB.')
