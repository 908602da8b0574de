import { html } from './html.ts'
import { renderPage } from './page-layout.ts'

/**
 * The page at `/`: says what runs here. No version, no counts, no names: it is open to everybody.
 *
 * @param documentation where the manual is, when the operator has one online
 */
export function homePage({ documentation }: { readonly documentation?: URL | undefined }, nonce: string): string {
  return renderPage({
    title: 'Patchbay',
    nonce,
    main: html`<h1>Patchbay is running</h1>
<p class="lead">It connects remote MCP servers, keeps their tokens fresh, and offers each of them at one stable address.</p>
<h2>Where things are</h2>
<ul class="links">
<li><a href="/api/v1/openapi.json">The API, as an OpenAPI document</a></li>
<li><code>/api/v1/connectors</code> &ndash; connectors: create, connect, watch, disconnect</li>
<li><code>/connectors/&lt;id&gt;/mcp</code> &ndash; the MCP address of each connector</li>
${documentation !== undefined && html`<li><a href="${webAddress(documentation)}">The documentation</a></li>`}
</ul>
<p class="soft">Every call needs an API key: <code>Authorization: Bearer &lt;key&gt;</code>. The manual is README.md and docs/ in the source.</p>`,
  })
}

function webAddress(url: URL): string {
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new TypeError('not a web address')
  return url.href
}
