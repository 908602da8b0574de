import { html } from './html.ts'
import { renderPage } from './page-layout.ts'

/**
 * What a browser is shown at an MCP address, with the same 401 and challenge that a client gets. Says nothing about
 * the connector: whoever reads this has not said who they are.
 *
 * @param mcpUrl the address itself, built from `PUBLIC_URL`
 */
export function mcpPage({ mcpUrl }: { readonly mcpUrl: string }, nonce: string): string {
  const configuration = JSON.stringify(
    { mcpServers: { patchbay: { url: mcpUrl, headers: { Authorization: 'Bearer <your API key>' } } } },
    null,
    2,
  )
  return renderPage({
    title: 'This is an MCP address',
    nonce,
    main: html`<h1>This is an MCP address</h1>
<p class="lead">It is for programs that speak the Model Context Protocol, such as agents and their hosts. There is nothing to see here in a browser.</p>
<h2>The address</h2>
<pre><code>${mcpUrl}</code></pre>
<h2>In an app</h2>
<p>Add it as a remote MCP server (“custom connector”) to Claude, ChatGPT, Cursor, VS Code or another app. The app opens a page here on which you allow it.</p>
<h2>In a program</h2>
<p>Send an API key with each request (Streamable HTTP):</p>
<pre><code>${configuration}</code></pre>
<p class="soft">You get a key from the people who run Patchbay here. Clients write this configuration in slightly different ways; look into the manual of yours.</p>`,
  })
}
