import { html, type SafeHtml } from './html.ts'
import { untrusted, untrustedText } from './untrusted-text.ts'

/** Who asks and for what, as our consent pages show it. */
export type ConsentFacts = {
  readonly client: {
    /** As it calls itself; null when it does not. */
    readonly name: string | null
    /** The host that vouches for it; null for a client that registered itself. */
    readonly host: string | null
  }
  readonly redirect: { readonly kind: 'web' | 'loopback' | 'app'; readonly place: string }
  readonly connectorName?: string | undefined
  /** The MCP server. */
  readonly upstream: URL
}

/** How the page calls the client in its own sentences. */
export function clientName({ client }: ConsentFacts): SafeHtml {
  return untrusted(client.name ?? client.host ?? '', 'An unnamed app')
}

/** How the page calls the connector. */
export function connectorTitle({ connectorName, upstream }: ConsentFacts): SafeHtml {
  return untrusted(untrustedText(connectorName ?? '') === '' ? upstream.host : (connectorName ?? ''))
}

export function fact(term: string, description: SafeHtml): SafeHtml {
  return html`<div><dt>${term}</dt><dd>${description}</dd></div>`
}

/** Who asks and where the answer goes (MCP authorization, "Client ID Metadata Documents": the redirect host is shown). */
export function clientFacts(facts: ConsentFacts): SafeHtml {
  const { client, redirect } = facts
  return html`${fact(
    'App',
    html`${clientName(facts)} <span class="soft">${
      client.host === null ? 'not verified: it named itself' : html`published by ${client.host}`
    }</span>`,
  )}
${fact('Answer goes to', html`${redirect.place} <span class="soft">${places[redirect.kind]}</span>`)}
${fact('Server', html`${facts.upstream.host}`)}`
}

const places = {
  web: 'a website',
  loopback: 'a program on this computer',
  app: 'an application on this device',
} as const

/** What a person should know before trusting the name on the page. */
export function clientWarning({ client, redirect }: ConsentFacts): SafeHtml | null {
  if (redirect.kind !== 'web') {
    return html`<p class="warning"><strong>Any program on this ${redirect.kind === 'loopback' ? 'computer' : 'device'} could ask like this,</strong> under any name. Go on only if you started this yourself, just now.</p>`
  }
  if (client.host !== null) return null
  return html`<p class="warning"><strong>Nobody vouches for this app’s name.</strong> Make sure that ${redirect.place} is where you came from.</p>`
}
