import { badBadge } from './badge.ts'
import { html } from './html.ts'
import { renderPage } from './page-layout.ts'
import { untrustedText } from './untrusted-text.ts'

export type ProblemPage = {
  readonly status: number
  /** Names this request in our log. */
  readonly requestId?: string | undefined
}

type Words = { readonly title: string; readonly lead: string; readonly next: string }

const notFound: Words = {
  title: 'There is nothing here',
  lead: 'No page has this address.',
  next: 'Check the address for a missing or extra character.',
}
const unavailable: Words = {
  title: 'Not available right now',
  lead: 'Patchbay cannot answer at the moment.',
  next: 'Wait a minute, then load the page again.',
}
const tooMany: Words = {
  title: 'Too many requests',
  lead: 'More requests came from your network than Patchbay answers.',
  next: 'Wait half a minute, then load the page again.',
}
const ourFault: Words = {
  title: 'Something went wrong',
  lead: 'That was our fault, not yours.',
  next: 'Try again. If it keeps happening, tell the people who run Patchbay here.',
}
const refused: Words = {
  title: 'That did not work',
  lead: 'Patchbay did not accept this request.',
  next: 'Go back to where you came from and start again.',
}

/** The page for a browser where an API client would get a problem document. */
export function problemPage({ status, requestId }: ProblemPage, nonce: string): string {
  const { title, lead, next } = wordsFor(status)
  return renderPage({
    title,
    nonce,
    tone: 'bad',
    main: html`${badBadge}<h1>${title}</h1>
<p class="lead">${lead}</p>
<p>${next}</p>
${requestId !== undefined && html`<p class="soft">If somebody asks: this was request <code>${untrustedText(requestId)}</code>.</p>`}`,
  })
}

function wordsFor(status: number): Words {
  if (status === 429) return tooMany
  if (status === 404) return notFound
  if (status === 429) return tooMany
  if (status === 503) return unavailable
  return status >= 500 ? ourFault : refused
}
