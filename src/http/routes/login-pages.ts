import Router from '@koa/router'
import type { Context } from 'koa'
import type { OrganisationLogin } from '../../authorization-server/organisation-login.ts'
import { oauthPaths } from '../../authorization-server/paths.ts'
import { isAppError } from '../../kernel/app-error.ts'
import type { BrowserSessions } from '../browser-sessions.ts'
import type { LoginCookie } from '../login-cookie.ts'
import { forwardingPage } from '../pages/forwarding-page.ts'
import { type LoginPage, loginPage } from '../pages/login-page.ts'
import type { PersonCookie } from '../person-cookie.ts'
import { sendPage } from '../send-page.ts'

type Deps = {
  readonly organisationLogin: OrganisationLogin
  readonly browserSessions: BrowserSessions
  readonly loginCookie: LoginCookie
  readonly personCookie: PersonCookie
  readonly publicUrl: URL
}

/** Answers a press of "Sign in with your organisation": the browser goes there and comes back to `returnTo`. */
export type SendToLogin = (ctx: Context, returnTo: string) => Promise<void>

/** The way to the organisation's login, and back. */
export function createLoginPages(deps: Deps) {
  const { organisationLogin, browserSessions, loginCookie, personCookie, publicUrl } = deps
  const router = new Router({ sensitive: true, strict: true })

  router.get(oauthPaths.loginCallback, async (ctx) => {
    const parameters = new URLSearchParams(ctx.querystring)
    try {
      const outcome = await organisationLogin.finish(parameters, loginCookie.read(ctx))
      if (outcome.kind === 'unknown') return failed(ctx, 'unknown', null)
      loginCookie.clear(ctx)
      if (outcome.kind === 'refused') return failed(ctx, 'refused', outcome.returnTo)
      personCookie.set(ctx, await browserSessions.begin(ctx, outcome.person, 'oidc', null))
      ctx.set({ 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' })
      // not a page that forwards: nothing of this address may be sent on, and there is no form in between
      ctx.redirect(new URL(outcome.returnTo, publicUrl).href)
      ctx.status = 303
    } catch (error) {
      if (!isAppError(error, 'issuer_unavailable')) throw error
      failed(ctx, 'unavailable', null)
    }
  })

  const sendToLogin: SendToLogin = async (ctx, returnTo) => {
    try {
      const { target, sealedAttempt } = await organisationLogin.begin(returnTo)
      loginCookie.set(ctx, sealedAttempt)
      sendPage(ctx, publicUrl, (nonce) => forwardingPage({ target }, nonce))
    } catch (error) {
      if (!isAppError(error, 'issuer_unavailable')) throw error
      failed(ctx, 'unavailable', returnTo)
    }
  }

  return { router, sendToLogin }

  function failed(ctx: Context, problem: LoginPage['problem'], returnTo: string | null): void {
    const status = problem === 'unavailable' ? 503 : 400
    sendPage(ctx, publicUrl, (nonce) => loginPage({ problem, returnTo }, nonce), status)
  }
}
