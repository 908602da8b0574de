import { type ConsentFacts, clientFacts, clientName, clientWarning, connectorTitle, fact } from './consent-parts.ts'
import { html, type SafeHtml } from './html.ts'
import { renderPage } from './page-layout.ts'
import { untrusted } from './untrusted-text.ts'

export type ConsentPage = ConsentFacts & {
  /** Where the buttons post to: the path of this very page. */
  readonly action: string
  readonly formToken: string
  /** Who sits in front of the browser. */
  readonly subject: string
  readonly canRefresh: boolean
  /**
   * Whether the connector works for this person: `ready`; `connect`: they can connect it now; `ask`: an administrator must.
   */
  readonly upstreamState: 'ready' | 'connect' | 'ask'
  /** True after an attempt to connect that did not work. */
  readonly hasConnectFailed?: boolean
}

/**
 * The question whether a host may use a connector for a person (MCP security best practices, "Confused Deputy"). Nothing is
 * granted before Authorize is pressed. While the server behind it is not connected, connecting comes first.
 */
export function consentPage(page: ConsentPage, nonce: string): string {
  return renderPage({
    title: 'Allow this app?',
    nonce,
    main: html`<h1>Let ${clientName(page)} use ${connectorTitle(page)}?</h1>
<p class="lead">It will be able to use every tool of this connector, and act through it as you.</p>
${clientWarning(page)}
<dl class="facts">
${clientFacts(page)}
${fact('As', html`${untrusted(page.subject)}`)}
${fact('For how long', html`${page.canRefresh ? 'Until you take it back, or 90 days without use' : 'An hour at a time'} <span class="soft">You can take it back at any time on <a href="/account">your account page</a>.</span>`)}
</dl>
${page.upstreamState === 'connect' ? connectFirst(page) : decide(page)}`,
  })
}

function decide(page: ConsentPage): SafeHtml {
  return html`${
    page.upstreamState === 'ask' &&
    html`<p class="soft">This connector is not connected to its server yet; an administrator of your organisation does that. The app can be allowed already.</p>`
  }
${form(
  page,
  html`<button class="button" type="submit" name="action" value="authorize">Authorize</button>
<button class="button quiet" type="submit" name="action" value="deny">Deny</button>
<button class="link" type="submit" name="action" value="leave">This is not me</button>`,
)}`
}

function connectFirst(page: ConsentPage): SafeHtml {
  return html`<h2>First, connect your account</h2>
${page.hasConnectFailed === true && html`<p class="warning" role="alert"><strong>That did not work.</strong> The account was not connected. You can try again.</p>`}
<p>You have not connected ${connectorTitle(page)} yet. You will sign in at its own site, and come back here.</p>
${form(
  page,
  html`<button class="button" type="submit" name="action" value="connect">Connect ${connectorTitle(page)}</button>
<button class="button quiet" type="submit" name="action" value="deny">Deny</button>
<button class="link" type="submit" name="action" value="leave">This is not me</button>`,
)}`
}

function form({ action, formToken }: ConsentPage, buttons: SafeHtml): SafeHtml {
  return html`<form class="next" method="post" action="${action}"><input type="hidden" name="form_token" value="${formToken}">
${buttons}</form>`
}
