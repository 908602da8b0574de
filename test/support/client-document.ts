import type { EgressParts } from '../../src/composition/outside.ts'
import { startTlsServer } from '../integration/egress/canary.ts'
import { certificate } from '../integration/egress/tls-fixture.ts'

export type ClientDocument = {
  /** Where it is published: the client's id. */
  readonly url: string
  /** `host:port`, for `EGRESS_ALLOW`. */
  readonly host: string
  /** How Patchbay finds and trusts the host. */
  readonly egress: EgressParts
  /** How often it was asked for. */
  requests(): number
  /** What is answered from now on, in place of the document itself. */
  answer(change: Reply): void
  close(): Promise<void>
}

export type Reply = {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** A text is sent as it is. */
  readonly body?: object | string
}

/** A client's metadata document (CIMD) on a host of its own, over TLS. `client_id` is filled in. */
export async function publishClientDocument(metadata: object = {}): Promise<ClientDocument> {
  let reply: Reply = {}
  const server = await startTlsServer((_request, response) => {
    const { status = 200, headers = {}, body = { client_id: url, ...metadata } } = reply
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  })
  const host = `pinned.test:${server.port}`
  const url = `https://${host}/client.json`
  return {
    url,
    host,
    egress: {
      ca: certificate,
      lookup: async () => [{ address: '127.0.0.1', family: 4 }],
    },
    requests: () => server.requests.length,
    answer(change) {
      reply = change
    },
    close: () => server.close(),
  }
}
