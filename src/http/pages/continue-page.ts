import { html, type SafeHtml } from './html.ts'
import { renderPage } from './page-layout.ts'
import { untrusted, untrustedText } from './untrusted-text.ts'

/** More than these stand behind a click, so that a long list does not push the question out of sight. */
const scopesInSight = 8
const maxScopesShown = 100

export type ContinuePage = {
  /** Where the button posts to: the path of this very page, `/connect/<ticket>`. */
  readonly action: string
  readonly tenantName: string
  /** The label of the API key that made the link. */
  readonly initiatorLabel: string
  /** True where whoever looks at it made the link: a person whom we recognise, through the app of that label. */
  readonly isOwn?: boolean
  /** Who gets the use of the account: one user, one agent, or everybody in the tenant (`subject` is then ignored). */
  readonly beneficiary: { readonly scope: 'user' | 'agent' | 'tenant'; readonly subject: string }
  /** The connector's name from its metadata; the host stands in when there is none. */
  readonly connectorName?: string | undefined
  /** The MCP server. */
  readonly upstream: URL
  /** The authorization server that the person is sent to. */
  readonly authorizationServer: URL
  /** The scopes that will be asked for; empty when the request names none. */
  readonly scopes: readonly string[]
}

/**
 * The question between a link and the upstream's own authorization page: a person who was tricked into opening
 * somebody else's link sees whose it is (MCP elicitation, "Phishing"; security checklist CB-03, CB-04). Showing it
 * changes nothing; pressing Continue posts an empty form to `action`.
 */
export function continuePage(page: ContinuePage, nonce: string): string {
  const name = untrustedText(page.connectorName ?? '') === '' ? page.upstream.host : (page.connectorName ?? '')
  return renderPage({
    title: 'Connect this account?',
    nonce,
    main: html`<h1>Connect ${untrusted(name)}?</h1>
<p class="lead"><strong>Did you start this?</strong> You are asked to let an app use an account of yours. Continue only if you began this yourself, just now.</p>
<dl class="facts">
${fact('Asked by', initiator(page))}
${fact('For', beneficiary(page))}
${fact('Server', html`${page.upstream.host}`)}
${fact('You sign in at', html`${page.authorizationServer.host}`)}
${fact('Access asked for', scopeList(page.scopes))}
</dl>
<form class="next" method="post" action="${page.action}"><button class="button" type="submit">Continue to ${page.authorizationServer.host}</button></form>
<p class="soft">If you did not start this, close this page. Nothing has happened yet.</p>`,
  })
}

function fact(term: string, description: SafeHtml): SafeHtml {
  return html`<div><dt>${term}</dt><dd>${description}</dd></div>`
}

function initiator({ initiatorLabel, isOwn, tenantName }: ContinuePage): SafeHtml {
  if (isOwn === true) return html`You <span class="soft">through ${untrusted(initiatorLabel, 'an unnamed app')}</span>`
  return html`${untrusted(initiatorLabel, '(a key without a label)')} <span class="soft">an API key of ${untrusted(tenantName)}</span>`
}

function beneficiary({ beneficiary: { scope, subject }, tenantName }: ContinuePage): SafeHtml {
  if (scope === 'tenant') {
    return html`Everyone in ${untrusted(tenantName)} <span class="soft">they will all act through your account</span>`
  }
  const whose = scope === 'user' ? 'a person' : 'an agent'
  return html`${untrusted(subject)} <span class="soft">${whose} in ${untrusted(tenantName)}</span>`
}

function scopeList(scopes: readonly string[]): SafeHtml {
  if (scopes.length === 0) return html`What the server grants by default`
  const more = scopes.slice(scopesInSight, maxScopesShown)
  const left = scopes.length - scopesInSight - more.length
  return html`${chips(scopes.slice(0, scopesInSight))}${
    more.length > 0 &&
    html`<details><summary>and ${scopes.length - scopesInSight} more</summary>${chips(more)}${left > 0 && html`<p class="soft">${left} more are not shown.</p>`}</details>`
  }`
}

function chips(scopes: readonly string[]): SafeHtml {
  return html`<ul class="chips">${scopes.map((scope) => html`<li>${untrusted(scope, '(unreadable)')}</li>`)}</ul>`
}
