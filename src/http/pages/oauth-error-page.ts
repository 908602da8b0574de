import { badBadge } from './badge.ts'
import { html } from './html.ts'
import { renderPage } from './page-layout.ts'
import { untrustedText } from './untrusted-text.ts'

type Words = {
  readonly title: string
  readonly lead: string
  readonly next: string
  /** False where something may have been allowed before. */
  readonly isNothingAllowed?: false
}

const again = 'Go back to the app that sent you here and start again.'

const words: Readonly<Record<string, Words>> = {
  invalid_client: {
    title: 'We do not know this app',
    lead: 'The app that sent you here is not registered, or the page that describes it could not be read.',
    next: 'Remove this server from the app and add it again, so that the app registers anew. If that does not help, ask the people who run Patchbay here whether this app may be used.',
  },
  invalid_redirect_uri: {
    title: 'This app cannot be answered',
    lead: 'The address that the app wants to be answered at is not one that it registered.',
    next: 'Remove this server from the app and add it again. If that does not help, the app has a fault.',
  },
  session_not_found: {
    title: 'This page has expired',
    lead: 'The request behind it is answered already, older than ten minutes, or was begun in another browser.',
    next: again,
    isNothingAllowed: false,
  },
  invalid_request: {
    title: 'This request is not complete',
    lead: 'The app that sent you here asked for access in a way that we do not understand.',
    next: again,
  },
}

const otherwise: Words = {
  title: 'That did not work',
  lead: 'The request of the app that sent you here could not be answered.',
  next: again,
}

/** What a person sees when a request for authorization cannot be answered at its client. No word of the request is shown. */
export function oauthErrorPage({ error }: { readonly error: string }, nonce: string): string {
  const { title, lead, next, isNothingAllowed = true } = new Map(Object.entries(words)).get(error) ?? otherwise
  return renderPage({
    title,
    nonce,
    tone: 'bad',
    main: html`${badBadge}<h1>${title}</h1>
<p class="lead">${lead}</p>
<p>${next}</p>
<p class="soft">${isNothingAllowed && 'Nothing was allowed. '}For those who look into it: <code>${untrustedText(error)}</code></p>`,
  })
}
