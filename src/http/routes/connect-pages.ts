import Router from '@koa/router'
import type { Context } from 'koa'
import type { AccessStore } from '../../access/store.ts'
import { type Act, type ActEnd, nothingThere } from '../../audit/audit-entry.ts'
import type { AuditLog } from '../../audit/audit-log.ts'
import type { OpenTicket, ReadTicket } from '../../connections/read-ticket.ts'
import type { CallbackResult, ReceiveCallback } from '../../connections/receive-callback.ts'
import type { StartFlow } from '../../connections/start-flow.ts'
import { connectorName } from '../../connectors/connector.ts'
import { AppError, type ErrorCode } from '../../kernel/app-error.ts'
import type { Secret } from '../../kernel/secret.ts'
import type { PresetCatalog } from '../../presets/match-preset.ts'
import { apiPrefix } from '../api-router.ts'
import type { BrowserCookie } from '../browser-cookie.ts'
import { requestRecord } from '../front-door.ts'
import { isOwnForm } from '../own-form.ts'
import { pageAct } from '../page-acts.ts'
import { continuePage } from '../pages/continue-page.ts'
import { forwardingPage } from '../pages/forwarding-page.ts'
import { linkPage } from '../pages/link-page.ts'
import { resultPage } from '../pages/result-page.ts'
import type { PersonSignIn } from '../person-sign-in.ts'
import { readForm } from '../read-form.ts'
import { sendPage } from '../send-page.ts'

/** The one callback for ever: clients that were registered by hand depend on it. */
export const callbackPath = `${apiPrefix}/connectors/oauth/callback`

type Deps = {
  readonly access: AccessStore
  readonly presets: PresetCatalog
  readonly readTicket: ReadTicket
  readonly startFlow: StartFlow
  readonly receiveCallback: ReceiveCallback
  readonly browserCookie: BrowserCookie
  readonly personSignIn: PersonSignIn
  readonly audit: AuditLog
  readonly publicUrl: URL
  readonly confirmation: 'page' | 'none'
}

/** What a person's browser sees of connecting: the link, the press, and the way back. */
export function createConnectPages(deps: Deps): Router {
  const { presets, readTicket, startFlow, receiveCallback, browserCookie, personSignIn, audit, publicUrl } = deps
  const router = new Router({ sensitive: true, strict: true })

  router.get('/connect/:ticket', async (ctx) => {
    const open = await readTicket(String(ctx.params.ticket))
    if (open === null) return sendPage(ctx, publicUrl, (nonce) => linkPage({ problem: 'unusable' }, nonce), 404)
    if (!(await isTheirs(ctx, open))) return
    if (deps.confirmation === 'none' && isNavigation(ctx)) return forward(ctx, open)
    const tenant = await deps.access.findTenantById(open.connector.tenantId)
    const { connector, connection, ticket } = open
    const preset = connector.presetId === null ? undefined : presets.byId(connector.presetId)
    sendPage(ctx, publicUrl, (nonce) =>
      continuePage(
        {
          action: ctx.path,
          tenantName: tenant?.name ?? '',
          initiatorLabel: ticket.initiatorLabel,
          isOwn: ticket.requiresSession,
          beneficiary: { scope: connection.scope, subject: connection.subjectId },
          connectorName: connectorName(connector, preset?.metadata.name),
          upstream: new URL(connector.url),
          authorizationServer: new URL(ticket.authorization?.server.authorizationEndpoint ?? connector.url),
          scopes: ticket.authorization?.server.scopes ?? [],
        },
        nonce,
      ),
    )
  })

  router.post('/connect/:ticket', async (ctx) => {
    if (!isOwnForm(ctx, publicUrl)) throw new AppError('forbidden', 'press came from another site')
    const open = await readTicket(String(ctx.params.ticket))
    if (open === null) return sendPage(ctx, publicUrl, (nonce) => linkPage({ problem: 'unusable' }, nonce), 404)
    if (await isTheirs(ctx, open)) await forward(ctx, open)
  })

  router.get(callbackPath, async (ctx) => {
    // previews, prefetches and subresources must not use an attempt up
    if (ctx.method === 'HEAD' || !isNavigation(ctx)) return sendPage(ctx, publicUrl, unusable, 400)
    const result = await receiveCallback({
      parameters: new URLSearchParams(ctx.querystring),
      browserToken: browserCookie.read(ctx),
      record: async ({ tenantId, connectorId }, perform) => {
        const person = (await personSignIn.recognise(ctx))?.session.person ?? null
        return audit.run(pageAct(ctx, { action: 'finishConnect', tenantId, connectorId, person }), perform, endOf)
      },
    })
    if (result.kind === 'unknown') return sendPage(ctx, publicUrl, (nonce) => failed(ctx, 'link_expired', nonce), 400)
    if (result.kind === 'parked') return redirect(ctx, withCompletion(result.redirectUrl, result.completion))
    if (result.redirectUrl !== null) {
      // on success unchanged: that is what clients of Agent Stack expect
      return redirect(
        ctx,
        result.kind === 'failed' ? withError(result.redirectUrl, result.failure) : result.redirectUrl,
      )
    }
    if (result.kind === 'failed') return sendPage(ctx, publicUrl, (nonce) => failed(ctx, result.failure, nonce), 400)
    const { connector } = result
    const preset = connector.presetId === null ? undefined : presets.byId(connector.presetId)
    sendPage(ctx, publicUrl, (nonce) =>
      resultPage(
        {
          outcome: 'connected',
          connectorName: connectorName(connector, preset?.metadata.name),
          upstream: new URL(connector.url),
        },
        nonce,
      ),
    )
  })

  return router

  /**
   * Whether this browser may go on from the link. One that a person began is for a session of theirs alone (CB-03): anybody
   * else is asked who they are, or told that it is not theirs, and that is the answer.
   */
  async function isTheirs(ctx: Context, open: OpenTicket): Promise<boolean> {
    const { ticket, connector } = open
    if (!ticket.requiresSession) return true
    const form = ctx.method === 'POST' ? await readForm(ctx.req) : null
    const recognised = await personSignIn.recognise(ctx)
    const asked = {
      subject: ctx.path,
      purpose: 'This link is for the person who asked for it. Say who you are to go on.',
      tenantId: ticket.tenantId,
      connectorId: connector.id,
    }
    const isAboutWho = form?.has('action') === true
    if (isAboutWho) {
      personSignIn.checkForm(form, ctx.path, recognised)
      if (await personSignIn.answer(ctx, form, asked, recognised)) return false
    }
    if (recognised === null) {
      personSignIn.ask(ctx, asked)
      return false
    }
    if (recognised.session.person.id === ticket.initiatorPrincipalId) return true
    await audit.refused(await continuing(ctx, open), new AppError('forbidden', 'link of somebody else'))
    sendPage(ctx, publicUrl, (nonce) => linkPage({ problem: 'someone_else' }, nonce), 403)
    return false
  }

  async function forward(ctx: Context, open: OpenTicket): Promise<void> {
    const target = await audit.run(await continuing(ctx, open), () => startFlow(open, browserCookie.ensure(ctx)))
    // not a redirect: a form's answer may not lead elsewhere under `form-action 'self'`
    sendPage(ctx, publicUrl, (nonce) => forwardingPage({ target }, nonce))
  }

  async function continuing(ctx: Context, { ticket, connector }: OpenTicket): Promise<Act> {
    const person = (await personSignIn.recognise(ctx))?.session.person ?? null
    return pageAct(ctx, { action: 'continueConnect', tenantId: ticket.tenantId, connectorId: connector.id, person })
  }

  function failed(ctx: Context, code: ErrorCode, nonce: string): string {
    return resultPage({ outcome: 'failed', code, requestId: requestRecord(ctx.req).requestId }, nonce)
  }
}

/** What came of a callback. A parked one waits for its completion, which is an act of the API. */
function endOf(result: CallbackResult): Partial<ActEnd> {
  if (result.kind === 'failed') return { outcome: 'failed', code: result.failure }
  return result.kind === 'unknown' ? nothingThere : {}
}

const unusable = (nonce: string) => linkPage({ problem: 'unusable' }, nonce)

function isNavigation(ctx: Context): boolean {
  if (ctx.method !== 'GET' || /prefetch|prerender/.test(ctx.get('Sec-Purpose') + ctx.get('Purpose'))) return false
  const mode = ctx.get('Sec-Fetch-Mode')
  return mode === '' || mode === 'navigate'
}

/** The address is left as it is, letter for letter; one that a header cannot hold is written as the URL standard does. */
function redirect(ctx: Context, address: string): void {
  const location = /^[\x21-\x7e]+$/.test(address) ? address : new URL(address).href
  ctx.set({ 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer', Location: location })
  ctx.status = 302
  ctx.body = ''
}

function withCompletion(redirectUrl: string, completion: Secret): string {
  const target = new URL(redirectUrl)
  target.searchParams.append('completion', completion.reveal())
  return target.href
}

/** RFC 6749 section 4.1.2.1. What the client already put into its URL is never overwritten. */
function withError(redirectUrl: string, code: ErrorCode): string {
  const target = new URL(redirectUrl)
  const error = code === 'authorization_denied' ? 'access_denied' : 'server_error'
  if (!target.searchParams.has('error')) target.searchParams.append('error', error)
  if (!target.searchParams.has('error_description')) target.searchParams.append('error_description', code)
  return target.href
}
