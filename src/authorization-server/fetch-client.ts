import { z } from 'zod'
import { addMs, type Clock } from '../kernel/clock.ts'
import { ClientMetadataError, readClientMetadata } from './client-metadata.ts'
import type { ClientDocumentStore } from './store.ts'

const maxBytes = 5 * 1024
const maxKeysBytes = 64 * 1024
const totalMs = 8_000
const goodForMs = 7 * 86_400_000
const staleForSeconds = 60

/** What of the way out is needed here; the guarded fetch is one. */
export type FetchOut = (
  url: URL | string,
  init?: RequestInit & { readonly maxBytes?: number; readonly totalMs?: number },
) => Promise<Response>

const documentSchema = z.looseObject({ client_id: z.string() })
const secretMembers = ['client_secret', 'client_secret_expires_at'] as const

type Deps = { readonly fetch: FetchOut; readonly documents: ClientDocumentStore; readonly clock: Clock }

/**
 * Fetches a client's metadata document (CIMD) for oidc-provider, which checks and caches it: through the egress guard, no
 * redirects, 5 KB. It passes on only what we understand. While its host cannot be reached, or publishes something unusable,
 * the last good copy of the past week stands in, so that a known client can go on refreshing.
 */
export function createFetchClient({ fetch, documents, clock }: Deps) {
  async function document(url: string): Promise<Response> {
    try {
      const answer = await fetch(url, { headers: { accept: 'application/json' }, maxBytes, totalMs })
      if (answer.status !== 200) throw new ClientMetadataError('invalid_client_metadata', 'not answered with 200')
      const read = readDocument(url, await answer.text())
      await documents.keep(url, read, clock.now())
      return Response.json(read, { headers: cacheHeaders(answer) })
    } catch (error) {
      const kept = await documents.find(url)
      if (kept === null || addMs(kept.fetchedAt, goodForMs) <= clock.now()) throw error
      return Response.json(kept.document, { headers: { 'cache-control': `max-age=${staleForSeconds}` } })
    }
  }

  return {
    document,
    /** The keys at a client's `jwks_uri`. */
    keys: (url: string): Promise<Response> =>
      fetch(url, { headers: { accept: 'application/json' }, maxBytes: maxKeysBytes, totalMs }),
  }
}

export type FetchClient = ReturnType<typeof createFetchClient>

/** @throws ClientMetadataError, SyntaxError, ZodError */
function readDocument(url: string, text: string): object {
  const raw = documentSchema.parse(JSON.parse(text))
  if (raw.client_id !== url) throw new ClientMetadataError('invalid_client_metadata', 'client_id is not its address')
  const method = raw.token_endpoint_auth_method
  if (
    secretMembers.some((name) => name in raw) ||
    (method !== undefined && !/^(none|private_key_jwt)$/.test(`${method}`))
  )
    throw new ClientMetadataError('invalid_client_metadata', 'a document cannot keep a secret')
  const metadata = readClientMetadata(raw)
  for (const uri of [metadata.client_uri, metadata.logo_uri, metadata.tos_uri, metadata.policy_uri]) {
    if (uri?.startsWith('http:')) throw new ClientMetadataError('invalid_client_metadata', 'addresses must be https')
  }
  return { client_id: url, ...metadata }
}

function cacheHeaders(answer: Response): Record<string, string> {
  const value = answer.headers.get('cache-control')
  return value === null ? {} : { 'cache-control': value }
}
