import createClient, { type Client } from 'openapi-fetch'
import type { components, paths } from './generated/api.ts'

/** Every operation of the REST API by method and path, with the types of what goes in and what comes back. */
export type PatchbayClient = Client<paths>

type Schemas = components['schemas']
export type Connector = Schemas['Connector']
export type ConnectorEvent = Schemas['Event']
export type AuditEntry = Schemas['AuditEntry']
export type Preset = Schemas['Preset']
/** What every failure answers (RFC 9457). `code` is stable, `detail` is a sentence for people. */
export type Problem = Schemas['Problem']

export type PatchbayClientOptions = {
  /** Where Patchbay is, without a path: `https://patchbay.example.com`. */
  readonly url: string | URL
  /** An API key, or an access token of the organisation's OpenID Connect issuer. */
  readonly apiKey: string
  /** In place of the global one. */
  readonly fetch?: (request: Request) => Promise<Response>
}

/**
 * A client of the REST API, for programs on any platform that has `fetch`.
 *
 * Each call resolves to `{ data, response }` or `{ error, response }`, where `error` is a `Problem`; it rejects only when
 * there was no answer. An event stream is read from `response.body` with `parseAs: 'stream'`.
 */
export function createPatchbayClient({ url, apiKey, fetch }: PatchbayClientOptions): PatchbayClient {
  return createClient<paths>({
    baseUrl: new URL(url).origin,
    headers: { authorization: `Bearer ${apiKey}` },
    ...(fetch === undefined ? {} : { fetch }),
  })
}
