import { badBadge } from './badge.ts'
import { html } from './html.ts'
import { renderPage } from './page-layout.ts'

export type LoginPage = {
  /** `unknown`: no login of this browser is waiting for this answer. */
  readonly problem: 'unknown' | 'refused' | 'unavailable'
  /** Where to try again; a path of ours. */
  readonly returnTo: string | null
}

const words = {
  unknown: {
    title: 'This sign-in has expired',
    lead: 'It was finished already, is older than ten minutes, or was begun in another browser.',
  },
  refused: {
    title: 'You are not signed in',
    lead: 'Your organisation did not sign you in, or it signed in somebody who has no place here.',
  },
  unavailable: {
    title: 'Your organisation’s sign-in cannot be reached',
    lead: 'This is a fault between Patchbay and your organisation, and usually passes by itself.',
  },
} as const

/** The end of a login that made nobody known. */
export function loginPage({ problem, returnTo }: LoginPage, nonce: string): string {
  const { title, lead } = words[problem]
  return renderPage({
    title,
    nonce,
    tone: 'bad',
    main: html`${badBadge}<h1>${title}</h1>
<p class="lead">${lead}</p>
${
  returnTo === null
    ? html`<p>Go back to where you came from and start again.</p>`
    : html`<p class="next"><a class="button" href="${returnTo}">Back</a></p>`
}
<p class="soft">Nothing was allowed.</p>`,
  })
}
