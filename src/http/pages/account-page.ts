import { html, type SafeHtml } from './html.ts'
import { renderPage } from './page-layout.ts'
import { untrusted } from './untrusted-text.ts'

export type AccountPage = {
  readonly formToken: string
  readonly subject: string
  readonly grants: readonly {
    readonly id: string
    readonly clientName: string
    /** The host that vouches for its name; null where nobody does. */
    readonly clientHost: string | null
    readonly connectorName: string
    readonly createdAt: Date
    readonly lastUsedAt: Date | null
  }[]
  /** How many there are in all. */
  readonly total: number
  readonly notice?: 'revoked' | 'gone'
}

const notices = {
  revoked: 'Taken back. The app can do nothing with it any more.',
  gone: 'That one was over already.',
} as const

/** A day, the same in every process: 21 November 2026. */
const dayFormat = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: 'UTC' })
const day = (date: Date) =>
  html`<time class="whole" datetime="${date.toISOString().slice(0, 10)}">${dayFormat.format(date)}</time>`

/** What a person gave to apps, each with a button that takes it back. Needs no JavaScript. */
export function accountPage({ formToken, subject, grants, total, notice }: AccountPage, nonce: string): string {
  const token = html`<input type="hidden" name="form_token" value="${formToken}">`
  return renderPage({
    title: 'Apps with your access',
    nonce,
    main: html`<h1>Apps with your access</h1>
<p class="lead">You are ${untrusted(subject)}. ${
      grants.length === 0 ? 'No app may use a connector as you.' : 'These apps may use connectors as you.'
    }</p>
${notice !== undefined && html`<p class="notice" role="status">${notices[notice]}</p>`}
${grants.map((grant) => item(grant, token))}
${total > grants.length && html`<p class="soft">These are the newest ${grants.length} of ${total}.</p>`}
<form class="next" method="post" action="/account">${token}
<button class="link" type="submit" name="action" value="leave">Sign out</button></form>`,
  })
}

function item(grant: AccountPage['grants'][number], token: SafeHtml): SafeHtml {
  return html`<form class="item" method="post" action="/account">${token}
<input type="hidden" name="grant_id" value="${grant.id}">
<h2>${untrusted(grant.clientName, 'An unnamed app')}</h2>
<p class="soft">${grant.clientHost === null ? 'Not verified' : html`Published by ${grant.clientHost}`}. Uses ${untrusted(grant.connectorName)}. Allowed on ${day(grant.createdAt)}${
    grant.lastUsedAt !== null && html`, last renewed on ${day(grant.lastUsedAt)}`
  }.</p>
<button class="button quiet" type="submit" name="action" value="revoke">Take back</button></form>`
}
