import type { ErrorCode } from '../../kernel/app-error.ts'
import { badBadge, goodBadge } from './badge.ts'
import { failureWords } from './failure-words.ts'
import { html } from './html.ts'
import { renderPage } from './page-layout.ts'
import { untrusted, untrustedText } from './untrusted-text.ts'

export type ResultPage =
  | { readonly outcome: 'connected'; readonly connectorName?: string | undefined; readonly upstream: URL }
  | {
      readonly outcome: 'failed'
      readonly code: ErrorCode
      /** Names this request in our log. */
      readonly requestId?: string | undefined
    }

/**
 * How an authorization ended, for a person whose link named no `redirect_url`. The two titles are part of the
 * Agent Stack contract. What the upstream said (`error_description`) is never shown: it is anybody's text.
 */
export function resultPage(page: ResultPage, nonce: string): string {
  return page.outcome === 'connected' ? connected(page, nonce) : failed(page, nonce)
}

function connected(page: Extract<ResultPage, { outcome: 'connected' }>, nonce: string): string {
  const name = untrustedText(page.connectorName ?? '') === '' ? page.upstream.host : (page.connectorName ?? '')
  return renderPage({
    title: 'Authorization Successful',
    nonce,
    tone: 'good',
    main: html`${goodBadge}<h1>Authorization Successful</h1>
<p class="lead">${untrusted(name)} is connected.</p>
<p>You can close this page and go back to where you came from.</p>
<p class="soft">To take the access back later, disconnect it there, or withdraw it in the settings of the account that you signed in with.</p>`,
  })
}

function failed(page: Extract<ResultPage, { outcome: 'failed' }>, nonce: string): string {
  const { happened, next } = failureWords(page.code)
  return renderPage({
    title: 'Authorization Failed',
    nonce,
    tone: 'bad',
    main: html`${badBadge}<h1>Authorization Failed</h1>
<p class="lead">${happened}</p>
<p>${next}</p>
<dl class="facts">
<div><dt>Code</dt><dd><code>${page.code}</code></dd></div>
${page.requestId !== undefined && html`<div><dt>Request</dt><dd><code>${untrustedText(page.requestId)}</code></dd></div>`}
</dl>
<p class="soft">Nothing was connected. You can close this page.</p>`,
  })
}
