import { z } from 'zod'
import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import { AppError } from '../kernel/app-error.ts'
import { isLoopbackOrigin } from '../kernel/resource-url.ts'
import { Secret } from '../kernel/secret.ts'
import type { AuthorizationServer } from './authorization-server.ts'
import { type Client, type TokenEndpointAuthMethod, tokenEndpointAuthMethods } from './client.ts'
import { parseJsonObject } from './json-document.ts'

export type RegisterClientRequest = {
  readonly server: AuthorizationServer
  readonly redirectUri: string
}

export type RegisteredClient = Client & { readonly expiresAt?: Date }

export type RegisterClient = (request: RegisterClientRequest) => Promise<RegisteredClient>

export type RegisterClientDeps = {
  readonly fetch: GuardedFetch
  /** Where our public keys are, for servers that take nothing but `private_key_jwt`. */
  readonly jwksUri?: string
}

const clientName = 'Patchbay'
const maxBytes = 64 * 1024
/** What is left of a connect's time after the probe and discovery. */
const totalMs = 6000

/** RFC 7591 section 3.2.1, as real servers answer: numbers as text, empty strings for what is not there. */
const answerSchema = z.object({
  // RFC 6749 appendix A.1: visible ASCII and spaces. It goes into a URL, a header and the database.
  client_id: z
    .string()
    .max(2048)
    .regex(/^[\x20-\x7e]+$/),
  client_secret: z.string().min(1).max(2048).optional().catch(undefined),
  client_secret_expires_at: z.coerce.number().optional().catch(undefined),
  token_endpoint_auth_method: z.enum(tokenEndpointAuthMethods).optional().catch(undefined),
})

/**
 * Registers us at an authorization server (RFC 7591). Names no scope, since one registration serves all connectors of
 * a tenant at that server.
 *
 * @throws AppError `client_id_required` (registers nobody), `client_registration_failed`, `authorization_server_not_found`
 *   (the endpoint was a guess, and nothing is there), and those of the guarded fetch
 */
export function createRegisterClient({ fetch, jwksUri }: RegisterClientDeps): RegisterClient {
  return async ({ server, redirectUri }) => {
    if (server.registrationEndpoint === undefined) {
      throw new AppError('client_id_required', 'the server has no registration endpoint', {
        meta: { issuer: server.issuer },
      })
    }
    const requested = preferredMethod(server.tokenEndpointAuthMethods, jwksUri !== undefined)
    const response = await fetch(server.registrationEndpoint, {
      method: 'POST',
      maxBytes,
      totalMs,
      headers: { accept: 'application/json', 'content-type': 'application/json' },
      body: JSON.stringify({
        client_name: clientName,
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: requested,
        application_type: applicationType(redirectUri),
        ...(requested === 'private_key_jwt' ? { jwks_uri: jwksUri } : {}),
      }),
    })
    const document = parseJsonObject(await response.text())
    if (!response.ok) throw refused(server, response.status, document?.error, redirectUri)
    const answer = answerSchema.safeParse(document)
    if (!answer.success) throw refused(server, response.status, undefined, redirectUri)
    return toClient(answer.data, requested, server.tokenEndpointAuthMethods)
  }
}

/** OpenID Connect Registration section 2: `native` is what may have loopback and custom-scheme redirects. */
function applicationType(redirectUri: string): 'web' | 'native' {
  const url = new URL(redirectUri)
  return url.protocol === 'https:' && !isLoopbackOrigin(url) ? 'web' : 'native'
}

/** Best first: we can keep a secret, and basic keeps it out of the body. Assertions where nothing else is taken. */
const preference = [
  'client_secret_basic',
  'client_secret_post',
  'none',
  'private_key_jwt',
] as const satisfies TokenEndpointAuthMethod[]

/** RFC 8414 section 2: a server that lists no methods means `client_secret_basic`. */
function preferredMethod(offered: readonly string[], hasKeys: boolean): TokenEndpointAuthMethod {
  const method = preference.find((candidate) => offered.includes(candidate))
  return method === undefined || (method === 'private_key_jwt' && !hasKeys) ? 'client_secret_basic' : method
}

/** Some send a secret although none was asked for, or a method without its secret: what the server takes, decides. */
function toClient(
  answer: z.infer<typeof answerSchema>,
  requested: TokenEndpointAuthMethod,
  offered: readonly string[],
): RegisteredClient {
  const answered = answer.token_endpoint_auth_method
  const isTaken = answered !== undefined && (offered.length === 0 || offered.includes(answered))
  const method = isTaken ? answered : requested
  if (method === 'private_key_jwt') return { clientId: answer.client_id, tokenEndpointAuthMethod: method }
  if (method === 'none' || answer.client_secret === undefined) {
    return { clientId: answer.client_id, tokenEndpointAuthMethod: 'none' }
  }
  const expiresAtSeconds = answer.client_secret_expires_at ?? 0
  return {
    clientId: answer.client_id,
    clientSecret: new Secret(answer.client_secret),
    tokenEndpointAuthMethod: method,
    // RFC 7591 section 3.2.1: 0 means never.
    ...(expiresAtSeconds > 0 && expiresAtSeconds < 1e11 ? { expiresAt: new Date(expiresAtSeconds * 1000) } : {}),
  }
}

function refused(server: AuthorizationServer, status: number, error: unknown, redirectUri: string): AppError {
  const meta = { issuer: server.issuer, status, ...(isErrorCode(error) ? { error } : {}) }
  if (server.isLegacyFallback && !isErrorCode(error)) {
    return new AppError('authorization_server_not_found', 'nothing is published, and nothing registers clients', {
      publicDetail: 'The server asks for authorization, but publishes nothing that says where to get it.',
      meta,
    })
  }
  return new AppError('client_registration_failed', 'registration refused', {
    publicDetail: publicDetailOf(status, error, redirectUri),
    meta,
  })
}

function publicDetailOf(status: number, error: unknown, redirectUri: string): string {
  if (error === 'invalid_redirect_uri') {
    return `The authorization server does not accept our redirect URI, ${redirectUri}. Register a client with its vendor, and give the connector its client_id.`
  }
  if (status === 429 || status >= 500) {
    return `The authorization server could not register a client now (HTTP status ${status}). Try again later.`
  }
  return 'The authorization server refused to register a client. Register one with its vendor, and give the connector its client_id.'
}

/** Only codes of the RFCs' alphabet come near a log. */
function isErrorCode(error: unknown): error is string {
  return typeof error === 'string' && /^[a-zA-Z0-9_.-]{1,64}$/.test(error)
}
