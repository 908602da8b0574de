import { html } from './html.ts'
import { renderPage } from './page-layout.ts'

/**
 * The answer to a pressed Continue, with status 200: it forwards the browser by itself, and by hand where that is
 * switched off. A redirect would be blocked by our own `form-action 'self'` (security checklist CN-07).
 *
 * @param target http or https, as the URL standard serialises it
 * @throws TypeError for any other scheme: such a target must have been refused at discovery (SS-03)
 */
export function forwardingPage({ target }: { readonly target: URL }, nonce: string): string {
  if (target.protocol !== 'https:' && target.protocol !== 'http:') throw new TypeError('not a web address')
  return renderPage({
    title: 'Taking you there',
    nonce,
    // A serialised URL begins with its scheme and holds no white space: all that follows `url=` is the URL, whatever is in it.
    head: html`<meta http-equiv="refresh" content="${`0;url=${target.href}`}">
`,
    main: html`<h1>Taking you to ${target.host}</h1>
<p>You will sign in there and decide what to allow. Afterwards you come back here.</p>
<p class="next"><a class="button" href="${target.href}" rel="noreferrer">Go to ${target.host}</a></p>
<p class="soft">This page moves on by itself. If it does not, use the button.</p>`,
  })
}
