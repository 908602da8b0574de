import Router from '@koa/router'
import type { Context } from 'koa'
import { addressBlock } from '../../access/address-block.ts'
import { ClientMetadataError } from '../../authorization-server/client-metadata.ts'
import type {
  ManageRegistration,
  OpenRegistration,
  Refused,
  RegistrationAccess,
} from '../../authorization-server/manage-registration.ts'
import { oauthPaths } from '../../authorization-server/paths.ts'
import type { RegisterOauthClient } from '../../authorization-server/register-client.ts'
import { isAppError } from '../../kernel/app-error.ts'
import { Secret } from '../../kernel/secret.ts'
import { requestRecord } from '../front-door.ts'
import { readJsonBody } from '../json-body.ts'
import { representRegistration } from '../representations.ts'

type Deps = {
  readonly registerClient: RegisterOauthClient
  readonly manageRegistration: ManageRegistration
  readonly publicUrl: URL
}

const maxRegistrationBytes = 16 * 1024
/** Browser-based hosts call these from pages of their own; no cookie of ours means anything there. */
const openToPages = { 'Access-Control-Allow-Origin': '*' }

/** Registration of hosts (RFC 7591), and what they do with it afterwards (RFC 7592). */
export function createRegistrationRoutes({ registerClient, manageRegistration, publicUrl }: Deps): Router {
  const router = new Router({ sensitive: true, strict: true })

  for (const path of [oauthPaths.registration, '/register']) {
    router.options(path, preflight('POST'))
    router.post(path, (ctx) =>
      answering(ctx, async () => {
        const registration = await registerClient(await readMetadata(ctx), addressBlock(requestRecord(ctx.req).address))
        if (registration.kind === 'too_many') return refuseAccess(ctx, registration)
        ctx.status = 201
        ctx.body = representRegistration({ ...registration, publicUrl })
      }),
    )
  }

  const own = `${oauthPaths.registration}/:id`
  router.options(own, preflight('GET, PUT, DELETE'))
  router.get(own, (ctx) => answering(ctx, async () => show(ctx, await manageRegistration.read(accessOf(ctx)))))
  router.put(own, (ctx) =>
    answering(ctx, async () => show(ctx, await manageRegistration.change(accessOf(ctx), await readMetadata(ctx)))),
  )
  router.delete(own, (ctx) =>
    answering(ctx, async () => {
      const outcome = await manageRegistration.remove(accessOf(ctx))
      if (outcome.kind !== 'removed') return refuseAccess(ctx, outcome)
      ctx.status = 204
    }),
  )

  return router

  function show(ctx: Context, outcome: OpenRegistration | Refused): void {
    if (outcome.kind !== 'open') refuseAccess(ctx, outcome)
    else ctx.body = representRegistration({ ...outcome, registrationToken: new Secret(accessOf(ctx).token), publicUrl })
  }
}

/** Answers what a host did wrong as RFC 7591 section 3.2.2 has it. */
async function answering(ctx: Context, work: () => Promise<void>): Promise<void> {
  ctx.set({ ...openToPages, 'Cache-Control': 'no-store' })
  try {
    await work()
  } catch (error) {
    if (error instanceof ClientMetadataError) return refuse(ctx, 400, error.code, error.message)
    if (!isAppError(error)) throw error
    const isOurs = error.code === 'internal' || error.code === 'storage_unavailable'
    if (isOurs) throw error
    refuse(ctx, 400, 'invalid_client_metadata', error.publicDetail ?? 'Send the metadata as a JSON object.')
  }
}

async function readMetadata(ctx: Context): Promise<unknown> {
  if (Number(ctx.get('Content-Length')) > maxRegistrationBytes) throw tooLong()
  const body = await readJsonBody(ctx.req)
  if (JSON.stringify(body ?? null).length > maxRegistrationBytes) throw tooLong()
  return body
}

function accessOf(ctx: Context): RegistrationAccess {
  const [, token = ''] = /^Bearer ([\w.~+/-]+=*)$/i.exec(ctx.get('Authorization')) ?? []
  return { clientId: ctx.params.id ?? '', token, address: addressBlock(requestRecord(ctx.req).address) }
}

/** RFC 7592 section 2: a client that is not there and a token that is wrong get the same answer. */
function refuseAccess(ctx: Context, outcome: Refused): void {
  if (outcome.kind === 'too_many') {
    ctx.set('Retry-After', String(outcome.retryAfterSeconds))
    refuse(ctx, 429, 'temporarily_unavailable', 'Too many registrations. Try again later.')
  } else {
    ctx.set('WWW-Authenticate', 'Bearer error="invalid_token"')
    refuse(ctx, 401, 'invalid_token', 'The registration access token is not that of a registered client.')
  }
}

function preflight(methods: string): (ctx: Context) => void {
  return (ctx) => {
    ctx.set({
      ...openToPages,
      'Access-Control-Allow-Methods': methods,
      'Access-Control-Allow-Headers': 'authorization, content-type, mcp-protocol-version',
      'Access-Control-Max-Age': '3600',
    })
    ctx.status = 204
  }
}

function refuse(ctx: Context, status: number, error: string, description: string): void {
  ctx.status = status
  ctx.body = { error, error_description: description }
}

const tooLong = () => new ClientMetadataError('invalid_client_metadata', 'The metadata is longer than 16 KB.')
