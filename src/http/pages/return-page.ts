import { html, type SafeHtml } from './html.ts'
import { renderPage } from './page-layout.ts'

/**
 * The answer to a pressed Authorize or Deny, with status 200: it sends the browser on by itself, and by hand where that is
 * switched off. A redirect out of a form would be blocked by our own `form-action 'self'` (security checklist CN-07).
 *
 * @param target of our own origin; from there the browser is redirected to the client
 * @param client how the page calls the client
 */
export function returnPage(
  { target, client }: { readonly target: URL; readonly client: SafeHtml },
  nonce: string,
): string {
  return renderPage({
    title: 'Taking you back',
    nonce,
    head: html`<meta http-equiv="refresh" content="${`0;url=${target.href}`}">
`,
    main: html`<h1>Taking you back to ${client}</h1>
<p>This page moves on by itself. If it does not, use the button. Once you are back you can close this window.</p>
<p class="next"><a class="button" href="${target.href}" rel="noreferrer">Back to ${client}</a></p>`,
  })
}
