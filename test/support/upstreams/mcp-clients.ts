import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Client as Sdk1Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as Sdk1Transport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

export type ClientTarget = {
  readonly url: string
  /** Sent with every request: `authorization`, above all. */
  readonly headers?: Readonly<Record<string, string>>
}

export type ConnectedClient<C, T> = {
  readonly client: C
  readonly transport: T
  /** Ends the session where there is one (DELETE), then the client. */
  close(): Promise<void>
}

const identity = { name: 'patchbay-test', version: '1.0.0' }

/** The SDK 2.x client: `legacy` speaks up to 2025-11-25 with `initialize`, `modern` is pinned to 2026-07-28. */
export async function connectClient(
  era: 'legacy' | 'modern',
  { url, headers = {} }: ClientTarget,
): Promise<ConnectedClient<Client, StreamableHTTPClientTransport>> {
  const client = new Client(identity, {
    versionNegotiation: { mode: era === 'legacy' ? 'legacy' : { pin: '2026-07-28' } },
  })
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { ...headers } } })
  await client.connect(transport)
  return { client, transport, close: () => endSession(client, transport) }
}

/** The SDK 1.x client, which most hosts still use. It speaks up to 2025-11-25. */
export async function connectSdk1Client({
  url,
  headers = {},
}: ClientTarget): Promise<ConnectedClient<Sdk1Client, Sdk1Transport>> {
  const client = new Sdk1Client(identity)
  const transport = new Sdk1Transport(new URL(url), { requestInit: { headers: { ...headers } } })
  // The SDK's own types disagree under exactOptionalPropertyTypes: its transports declare `sessionId` as optional.
  await client.connect(transport as Parameters<Sdk1Client['connect']>[0])
  return { client, transport, close: () => endSession(client, transport) }
}

async function endSession(
  client: { close(): Promise<void> },
  transport: { readonly sessionId?: string | undefined; terminateSession(): Promise<void> },
): Promise<void> {
  if (transport.sessionId !== undefined) await transport.terminateSession()
  await client.close()
}
