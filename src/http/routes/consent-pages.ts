import Router from '@koa/router'
import type { Context } from 'koa'
import { addressBlock } from '../../access/address-block.ts'
import type { Act, ActEnd } from '../../audit/audit-entry.ts'
import type { AuditLog } from '../../audit/audit-log.ts'
import type { RedeemConnectToken } from '../../authorization-server/connect-token.ts'
import type { ConsentConnection } from '../../authorization-server/consent-connection.ts'
import { oauthPaths } from '../../authorization-server/paths.ts'
import type { PendingRequest, PendingRequests } from '../../authorization-server/pending-request.ts'
import {
  type LoginMethod,
  type Person,
  type PersonSession,
  type PersonStore,
  principalOf,
} from '../../authorization-server/person-session.ts'
import { connectorName } from '../../connectors/connector.ts'
import { isVisible } from '../../connectors/visibility.ts'
import { AppError } from '../../kernel/app-error.ts'
import type { PresetCatalog } from '../../presets/match-preset.ts'
import type { BrowserCookie } from '../browser-cookie.ts'
import type { BrowserSessions } from '../browser-sessions.ts'
import { isDevLoginAllowed } from '../dev-login.ts'
import type { FormToken } from '../form-token.ts'
import { requestRecord } from '../front-door.ts'
import { isOwnForm } from '../own-form.ts'
import { type PageAction, pageAct } from '../page-acts.ts'
import { consentPage } from '../pages/consent-page.ts'
import { type ConsentFacts, clientName } from '../pages/consent-parts.ts'
import { forwardingPage } from '../pages/forwarding-page.ts'
import { type IdentifyPage, identifyPage } from '../pages/identify-page.ts'
import { oauthErrorPage } from '../pages/oauth-error-page.ts'
import { returnPage } from '../pages/return-page.ts'
import type { PersonCookie } from '../person-cookie.ts'
import { personName } from '../person-name.ts'
import { readForm } from '../read-form.ts'
import { sendPage } from '../send-page.ts'
import type { SendToLogin } from './login-pages.ts'

type Deps = {
  readonly pendingRequests: PendingRequests
  readonly browserSessions: BrowserSessions
  readonly people: Pick<PersonStore, 'ensure'>
  readonly redeemConnectToken: RedeemConnectToken
  readonly consentConnection: ConsentConnection
  readonly presets: PresetCatalog
  readonly browserCookie: BrowserCookie
  readonly personCookie: PersonCookie
  readonly formToken: FormToken
  /** Null where there is no login at an organisation. */
  readonly sendToLogin: SendToLogin | null
  readonly audit: Pick<AuditLog, 'run'>
  readonly publicUrl: URL
}

/** A request and the person who looks at it, as far as they are known. */
type Visit = {
  readonly pending: PendingRequest
  readonly facts: ConsentFacts
  readonly session: PersonSession | null
  /** The session's token, which its forms are bound to. */
  readonly sessionToken: string | null
}

/** The page on which a person decides about a host's request: who are you, connect first, allow it? */
export function createConsentPages(deps: Deps): Router {
  const { pendingRequests, browserSessions, personCookie, formToken, consentConnection, audit, publicUrl } = deps
  const router = new Router({ sensitive: true, strict: true })
  const path = `${oauthPaths.consent}/:uid`

  router.get(path, async (ctx) => {
    const visit = await enter(ctx)
    if (visit === null) return expired(ctx)
    if (visit.session === null) return identify(ctx, visit)
    await ask(ctx, visit, visit.session)
  })

  router.post(path, async (ctx) => {
    if (!isOwnForm(ctx, publicUrl)) throw new AppError('forbidden', 'press came from another site')
    const visit = await enter(ctx)
    if (visit === null) return expired(ctx)
    const form = await readForm(ctx.req)
    const { pending, session, sessionToken } = visit
    if (!formToken.check(form.get('form_token') ?? '', pending.id, sessionToken))
      throw new AppError('forbidden', 'form token does not fit')
    switch (form.get('action')) {
      case 'connect_token':
        return recognise(ctx, visit, 'connect_token', await redeem(ctx, pending, form.get('connect_token') ?? ''))
      case 'name':
        return recognise(ctx, visit, 'dev', await personByName(ctx, pending, form.get('name') ?? ''))
      case 'organisation':
        if (deps.sendToLogin === null) throw new AppError('invalid_request', 'no organisation to sign in at')
        return deps.sendToLogin(ctx, ctx.path)
      case 'deny':
        return goBack(ctx, visit, await refuse(ctx, visit))
      case 'leave':
        if (session !== null && sessionToken !== null) await browserSessions.end(ctx, session, sessionToken)
        personCookie.clear(ctx)
        return identify(ctx, { ...visit, session: null, sessionToken: null })
      case 'connect':
        return session === null ? identify(ctx, visit) : connect(ctx, visit, session)
      case 'authorize':
        if (session === null) return identify(ctx, visit)
        return goBack(ctx, visit, await allow(ctx, visit, session))
      default:
        throw new AppError('invalid_request', 'no such action')
    }
  })

  return router

  async function enter(ctx: Context): Promise<Visit | null> {
    const pending = await pendingRequests.find(ctx.req, ctx.res, String(ctx.params.uid))
    if (pending === null) return null
    const { connector, client, redirect } = pending
    const token = personCookie.read(ctx)
    const found = token === null ? null : await browserSessions.find(token)
    const session = found !== null && mayConsent(found, pending) ? found : null
    const preset = connector.presetId === null ? undefined : deps.presets.byId(connector.presetId)
    return {
      pending,
      facts: {
        client,
        redirect,
        connectorName: connectorName(connector, preset?.metadata.name),
        upstream: new URL(connector.url),
      },
      session,
      sessionToken: session === null ? null : token,
    }
  }

  /** Who a session is of must see the connector; one that a connect token began is for its connector alone. */
  function mayConsent(session: PersonSession, { connector }: PendingRequest): boolean {
    const isForIt = session.connectorId === null || session.connectorId === connector.id
    return isForIt && isVisible(principalOf(session), connector)
  }

  function redeem(ctx: Context, { id, connector }: PendingRequest, token: string): Promise<Person | null> {
    const address = addressBlock(requestRecord(ctx.req).address)
    return deps.redeemConnectToken(token, { connectorId: connector.id, address, requestId: id })
  }

  async function personByName(ctx: Context, { connector }: PendingRequest, name: string): Promise<Person | null> {
    if (!isDevLoginAllowed(ctx, publicUrl)) throw new AppError('forbidden', 'dev login is off here')
    const subject = name.trim()
    if (!personName.test(subject)) return null
    return deps.people.ensure({ tenantId: connector.tenantId, kind: 'user', subject })
  }

  /** Begins a session for whom we now know, and asks; whoever it is gets a new one (no fixation). */
  async function recognise(ctx: Context, visit: Visit, method: LoginMethod, person: Person | null): Promise<void> {
    if (person === null) return identify(ctx, visit, method === 'dev' ? 'name' : 'connect_token')
    const connectorId = method === 'connect_token' ? visit.pending.connector.id : null
    const token = await browserSessions.begin(ctx, person, method, connectorId)
    const session = await browserSessions.find(token.reveal())
    if (session === null || !mayConsent(session, visit.pending)) return identify(ctx, visit, 'no_access')
    personCookie.set(ctx, token)
    await ask(ctx, { ...visit, session, sessionToken: token.reveal() }, session)
  }

  function identify(ctx: Context, { pending, facts, sessionToken }: Visit, problem?: IdentifyPage['problem']): void {
    const page = {
      ...facts,
      action: ctx.path,
      formToken: formToken.make(pending.id, sessionToken),
      isDevLoginOffered: isDevLoginAllowed(ctx, publicUrl),
      isOrganisationOffered: deps.sendToLogin !== null,
      ...(problem === undefined ? {} : { problem }),
    }
    sendPage(ctx, publicUrl, (nonce) => identifyPage(page, nonce), problem === undefined ? 200 : 400)
  }

  async function ask(ctx: Context, { pending, facts, sessionToken }: Visit, session: PersonSession): Promise<void> {
    const page = {
      ...facts,
      action: ctx.path,
      formToken: formToken.make(pending.id, sessionToken),
      subject: session.person.subject,
      canRefresh: pending.client.canRefresh,
      upstreamState: await consentConnection.stateFor(principalOf(session), pending.connector),
      hasConnectFailed: ctx.query.error !== undefined,
    }
    sendPage(ctx, publicUrl, (nonce) => consentPage(page, nonce))
  }

  async function connect(ctx: Context, visit: Visit, session: PersonSession): Promise<void> {
    const returnTo = new URL(`${oauthPaths.consent}/${visit.pending.id}`, publicUrl).href
    const { connector } = visit.pending
    const target = await audit.run(actOf(ctx, 'connectConnector', visit, session), () =>
      consentConnection.begin(principalOf(session), connector, returnTo, () => deps.browserCookie.ensure(ctx)),
    )
    if (target === null) return ask(ctx, visit, session)
    sendPage(ctx, publicUrl, (nonce) => forwardingPage({ target }, nonce))
  }

  function allow(ctx: Context, visit: Visit, session: PersonSession): Promise<string | null> {
    const allowing = () => pendingRequests.allow(ctx.req, ctx.res, visit.pending, session.person)
    return audit.run(actOf(ctx, 'authorizeApp', visit, session), allowing, endOf)
  }

  /** Whose press nobody knows changes nothing, and is not written down. */
  function refuse(ctx: Context, visit: Visit): Promise<string | null> {
    const refusing = () => pendingRequests.deny(ctx.req, ctx.res, visit.pending)
    const { session } = visit
    return session === null ? refusing() : audit.run(actOf(ctx, 'refuseApp', visit, session), refusing, endOf)
  }

  function goBack(ctx: Context, { facts }: Visit, target: string | null): void {
    if (target === null) {
      expired(ctx)
      return
    }
    const page = { target: new URL(target), client: clientName(facts) }
    // not a redirect: a form's answer may not lead elsewhere under `form-action 'self'`
    sendPage(ctx, publicUrl, (nonce) => returnPage(page, nonce))
  }

  function expired(ctx: Context): void {
    sendPage(ctx, publicUrl, (nonce) => oauthErrorPage({ error: 'session_not_found' }, nonce), 400)
  }
}

function actOf(ctx: Context, action: PageAction, { pending }: Visit, { person }: PersonSession): Act {
  const { id: connectorId, tenantId } = pending.connector
  return pageAct(ctx, { action, tenantId, person, connectorId })
}

/** Nowhere to go on to: the request was answered before. */
const endOf = (target: string | null): Partial<ActEnd> =>
  target === null ? { outcome: 'failed', code: 'conflict' } : {}
