import { badBadge } from './badge.ts'
import { html } from './html.ts'
import { renderPage } from './page-layout.ts'

export type LinkPage = {
  /**
   * `unusable`: unknown, expired, used, superseded or foreign; the page does not say which, so that nobody can
   * find out by trying (security checklist CB-12). `someone_else`: a recognised person opened another's link.
   */
  readonly problem: 'unusable' | 'someone_else'
}

/** The page for a connect link that leads nowhere. Nothing was stored and nobody was asked anything. */
export function linkPage({ problem }: LinkPage, nonce: string): string {
  return problem === 'unusable' ? unusable(nonce) : someoneElse(nonce)
}

function unusable(nonce: string): string {
  return renderPage({
    title: 'This link does not work',
    nonce,
    tone: 'bad',
    main: html`${badBadge}<h1>This link does not work</h1>
<p class="lead">It may have expired, been used before, been replaced by a newer one, or been copied incompletely.</p>
<p>Go back to where you got it and ask for a new one. Links to connect an account are good for 24 hours.</p>
<p class="soft">Nothing has happened. You can close this page.</p>`,
  })
}

function someoneElse(nonce: string): string {
  return renderPage({
    title: 'This link belongs to someone else',
    nonce,
    tone: 'bad',
    main: html`${badBadge}<h1>This link belongs to someone else</h1>
<p class="lead">It was made for another person, and connecting your account through it would give that person the use of your account.</p>
<p>If you want to connect your own account, start from your own session and use the link that you get there.</p>
<p class="soft">Nothing has happened. You can close this page.</p>`,
  })
}
