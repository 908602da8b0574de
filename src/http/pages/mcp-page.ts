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
<h2>How to use it</h2>
<p>Give it to your MCP client as a remote server (Streamable HTTP), and send an API key with it:</p>
<pre><code>${configuration}</code></pre>
<p class="soft">You get a key from the people who run Patchbay here. Clients write this configuration in slightly different ways; look into the manual of yours.</p>`,
  })
}
