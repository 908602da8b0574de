import { continuePage } from '../../../src/http/pages/continue-page.ts'
import { forwardingPage } from '../../../src/http/pages/forwarding-page.ts'
import { homePage } from '../../../src/http/pages/home-page.ts'
import { linkPage } from '../../../src/http/pages/link-page.ts'
import { mcpPage } from '../../../src/http/pages/mcp-page.ts'
import { problemPage } from '../../../src/http/pages/problem-page.ts'
import { resultPage } from '../../../src/http/pages/result-page.ts'
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
  return {
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
