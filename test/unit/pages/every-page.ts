import { accountPage } from '../../../src/http/pages/account-page.ts'
import { consentPage } from '../../../src/http/pages/consent-page.ts'
import { continuePage } from '../../../src/http/pages/continue-page.ts'
import { forwardingPage } from '../../../src/http/pages/forwarding-page.ts'
import { homePage } from '../../../src/http/pages/home-page.ts'
import { identifyPage } from '../../../src/http/pages/identify-page.ts'
import { linkPage } from '../../../src/http/pages/link-page.ts'
import { loginPage } from '../../../src/http/pages/login-page.ts'
import { mcpPage } from '../../../src/http/pages/mcp-page.ts'
import { oauthErrorPage } from '../../../src/http/pages/oauth-error-page.ts'
import { problemPage } from '../../../src/http/pages/problem-page.ts'
import { resultPage } from '../../../src/http/pages/result-page.ts'
import { signInPage } from '../../../src/http/pages/sign-in-page.ts'
import type { ErrorCode } from '../../../src/kernel/app-error.ts'

/** Every page we have, with `text` in every place where somebody else's text may stand. */
export function everyPage(text: string, nonce: string): Readonly<Record<string, string>> {
  const url = new URL('https://mcp.stripe.com/')
  url.pathname = text
  url.search = text
  const asked = {
    action: `/connect/${text}`,
    tenantName: text,
    initiatorLabel: text,
    connectorName: text,
    upstream: url,
    authorizationServer: url,
    scopes: Array.from({ length: 120 }, () => text),
  }
  const facts = {
    client: { name: text, host: text },
    redirect: { kind: 'web', place: text },
    connectorName: text,
    upstream: url,
  } as const
  const form = { action: `/oauth/consent/${text}`, formToken: text }
  const offers = { isDevLoginOffered: true, isOrganisationOffered: true }
  const consent = { ...facts, ...form, subject: text, canRefresh: true }
  const names = { clientName: text, clientHost: text, connectorName: text }
  const grant = { id: text, ...names, createdAt: new Date(0), lastUsedAt: new Date(0) }
  return {
    'who, for an app': identifyPage({ ...facts, ...form, ...offers }, nonce),
    'who, of a loopback app, after a mistake': identifyPage(
      {
        ...facts,
        ...form,
        isDevLoginOffered: false,
        isOrganisationOffered: false,
        redirect: { kind: 'loopback', place: text },
        problem: 'connect_token',
      },
      nonce,
    ),
    'consent, ready': consentPage({ ...consent, upstreamState: 'ready' }, nonce),
    'consent, to connect first': consentPage({ ...consent, upstreamState: 'connect', hasConnectFailed: true }, nonce),
    'consent, of an unknown app': consentPage(
      { ...consent, client: { name: text, host: null }, upstreamState: 'ask' },
      nonce,
    ),
    'who, for a page of ours': signInPage(
      { ...form, ...offers, isTokenTaken: true, purpose: text, problem: 'name' },
      nonce,
    ),
    'who, where nobody can sign in': signInPage(
      { ...form, isDevLoginOffered: false, isOrganisationOffered: false, isTokenTaken: false, purpose: text },
      nonce,
    ),
    'login, unknown': loginPage({ problem: 'unknown', returnTo: null }, nonce),
    'login, refused': loginPage({ problem: 'refused', returnTo: `/oauth/consent/${text}` }, nonce),
    account: accountPage(
      { formToken: text, subject: text, grants: [grant, grant], total: 3, notice: 'revoked' },
      nonce,
    ),
    'account, empty': accountPage({ formToken: text, subject: text, grants: [], total: 0 }, nonce),
    'request, refused': oauthErrorPage({ error: text }, nonce),
    'request, of an unknown app': oauthErrorPage({ error: 'invalid_client' }, nonce),
    'continue, for a user': continuePage({ ...asked, beneficiary: { scope: 'user', subject: text } }, nonce),
    'continue, for an agent': continuePage({ ...asked, beneficiary: { scope: 'agent', subject: text } }, nonce),
    'continue, for a tenant': continuePage({ ...asked, beneficiary: { scope: 'tenant', subject: text } }, nonce),
    'continue, nothing said': continuePage(
      { ...asked, connectorName: undefined, scopes: [], beneficiary: { scope: 'user', subject: text } },
      nonce,
    ),
    forwarding: forwardingPage({ target: url }, nonce),
    success: resultPage({ outcome: 'connected', connectorName: text, upstream: url }, nonce),
    'failed, of a known code': resultPage({ outcome: 'failed', code: 'authorization_denied', requestId: text }, nonce),
    'failed, of an unknown code': resultPage({ outcome: 'failed', code: text as ErrorCode, requestId: text }, nonce),
    'link, unusable': linkPage({ problem: 'unusable' }, nonce),
    "link, someone else's": linkPage({ problem: 'someone_else' }, nonce),
    mcp: mcpPage({ mcpUrl: text }, nonce),
    home: homePage({ documentation: url }, nonce),
    'not found': problemPage({ status: 404, requestId: text }, nonce),
    'our fault': problemPage({ status: 500, requestId: text }, nonce),
    unavailable: problemPage({ status: 503, requestId: text }, nonce),
    refused: problemPage({ status: 400 }, nonce),
  }
}
