import { isIP } from 'node:net'
import { z } from 'zod'
import { isLoopbackOrigin } from '../kernel/resource-url.ts'

/** Why a client's metadata is not taken, in the words of RFC 7591 section 3.2.2. */
export class ClientMetadataError extends Error {
  readonly code: 'invalid_redirect_uri' | 'invalid_client_metadata'

  constructor(code: ClientMetadataError['code'], message: string) {
    super(message)
    this.name = 'ClientMetadataError'
    this.code = code
  }
}

export const clientAuthMethods = ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const
const grantTypes = ['authorization_code', 'refresh_token'] as const

/** A client's metadata (RFC 7591 section 2) as we keep it: judged, and without what we do not know. */
export type ClientMetadata = {
  readonly redirect_uris: readonly string[]
  readonly client_name?: string
  readonly client_uri?: string
  readonly logo_uri?: string
  readonly tos_uri?: string
  readonly policy_uri?: string
  readonly jwks_uri?: string
  readonly jwks?: { readonly keys: readonly object[] }
  readonly application_type: 'web' | 'native'
  readonly grant_types: readonly string[]
  readonly response_types: readonly ['code']
  readonly token_endpoint_auth_method: (typeof clientAuthMethods)[number]
}

const maxRedirectUris = 10
const maxUriLength = 2048
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const forbiddenCharacters = /[\u0000-\u0020\u007f-\u009f\\<>"`{}|^*]/
/** Schemes that run or show what stands in the address, or that belong to the system. */
const neverSchemes = /^(javascript|data|vbscript|blob|file|about|ftp|mailto|ws|wss|view-source|filesystem)$/
/** Private schemes ought to hold a dot (RFC 8252 section 7.1); these hosts were there before that. */
const knownSchemes = new Set(['cursor', 'claude', 'vscode', 'vscode-insiders', 'windsurf', 'zed'])

const document = z.object({
  redirect_uris: z.array(z.string()).optional(),
  client_name: z.string().max(256).nullish(),
  client_uri: z.string().nullish(),
  logo_uri: z.string().nullish(),
  tos_uri: z.string().nullish(),
  policy_uri: z.string().nullish(),
  jwks_uri: z.string().nullish(),
  jwks: z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(20) }).nullish(),
  grant_types: z.array(z.string()).nullish(),
  response_types: z.array(z.string()).nullish(),
  token_endpoint_auth_method: z.string().nullish(),
})

const pageUris = ['client_uri', 'logo_uri', 'tos_uri', 'policy_uri'] as const
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

/**
 * Judges what a client says of itself, whether it registers (RFC 7591) or publishes a document. Unknown members are left
 * out; grant types that we do not have are left out as long as the code flow is among them.
 *
 * @throws ClientMetadataError
 */
export function readClientMetadata(raw: unknown): ClientMetadata {
  const parsed = document.safeParse(raw)
  if (!parsed.success) {
    const path = parsed.error.issues[0]?.path.join('.') ?? ''
    throw new ClientMetadataError(
      path.startsWith('redirect_uris') ? 'invalid_redirect_uri' : 'invalid_client_metadata',
      path === '' ? 'The metadata must be a JSON object.' : `${path} is not as it should be.`,
    )
  }
  const given = parsed.data
  const redirectUris = given.redirect_uris ?? []
  if (redirectUris.length === 0) throw badRedirect('redirect_uris must name at least one address.')
  if (redirectUris.length > maxRedirectUris)
    throw badRedirect(`redirect_uris has more than ${maxRedirectUris} entries.`)
  const isNative = redirectUris.map(isNativeRedirect).includes(true)
  if (given.grant_types?.includes('authorization_code') === false)
    throw badMetadata('grant_types must include authorization_code.')
  if (given.response_types?.includes('code') === false) throw badMetadata('response_types must include code.')
  const method = clientAuthMethods.find((name) => name === (given.token_endpoint_auth_method ?? 'none'))
  if (method === undefined) {
    throw badMetadata(`token_endpoint_auth_method must be one of ${clientAuthMethods.join(', ')}.`)
  }
  return {
    redirect_uris: redirectUris,
    ...(given.client_name ? { client_name: given.client_name } : {}),
    ...Object.fromEntries(pageUris.flatMap((name) => pageUri(name, given[name]))),
    ...keysOf(method, given),
    application_type: isNative ? 'native' : 'web',
    grant_types:
      given.grant_types == null ? grantTypes : grantTypes.filter((name) => given.grant_types?.includes(name)),
    response_types: ['code'],
    token_endpoint_auth_method: method,
  }
}

/**
 * @returns whether only an application on the person's own machine can be there (RFC 8252 section 7)
 * @throws ClientMetadataError for an address that a browser must not be sent to with a code
 */
function isNativeRedirect(raw: string): boolean {
  if (raw.length > maxUriLength) throw badRedirect(`A redirect URI is longer than ${maxUriLength} characters.`)
  if (forbiddenCharacters.test(raw) || !URL.canParse(raw)) throw badRedirect('A redirect URI is not a URL.')
  if (raw.includes('#')) throw badRedirect('A redirect URI must not have a fragment.')
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(raw)?.[1] ?? ''
  const url = new URL(raw)
  if (scheme !== url.protocol.slice(0, -1)) throw badRedirect('The scheme of a redirect URI must be in lower case.')
  if (scheme === 'https' || scheme === 'http') {
    if (!/^https?:\/\/[^/?#@]+([/?]|$)/.test(raw)) throw badRedirect('A redirect URI must name a host and no user.')
    if (isLoopbackOrigin(url)) return true
    if (scheme === 'http') throw badRedirect('Plain http is for redirects to loopback only.')
    if (isIP(url.hostname.replace(/^\[|\]$/g, '')) !== 0)
      throw badRedirect('A redirect URI must name a host, not an address.')
    return false
  }
  if (neverSchemes.test(scheme) || !(scheme.includes('.') || knownSchemes.has(scheme))) {
    throw badRedirect('A private scheme in a redirect URI must be a reversed domain name, such as com.example.app.')
  }
  return true
}

function pageUri(name: string, value: string | null | undefined): [string, string][] {
  if (value === null || value === undefined || value === '') return []
  const isWeb = value.length <= maxUriLength && !forbiddenCharacters.test(value) && /^https?:\/\//.test(value)
  if (!isWeb || !URL.canParse(value)) throw badMetadata(`${name} must be a web address.`)
  return [[name, value]]
}

/** Keys are kept for `private_key_jwt` alone: nothing else needs them, and nothing else is fetched. */
function keysOf(
  method: string,
  { jwks, jwks_uri }: z.output<typeof document>,
): Pick<ClientMetadata, 'jwks' | 'jwks_uri'> {
  if (method !== 'private_key_jwt') return {}
  if (jwks?.keys.some((key) => privateMembers.some((member) => member in key))) {
    throw badMetadata('jwks must hold public keys only.')
  }
  if ((jwks == null) === (jwks_uri == null)) throw badMetadata('private_key_jwt needs either jwks or jwks_uri.')
  if (jwks != null) return { jwks }
  if (jwks_uri == null || !/^https:\/\//.test(jwks_uri) || !URL.canParse(jwks_uri)) {
    throw badMetadata('jwks_uri must be an https address.')
  }
  return { jwks_uri }
}

const badRedirect = (message: string) => new ClientMetadataError('invalid_redirect_uri', message)
const badMetadata = (message: string) => new ClientMetadataError('invalid_client_metadata', message)
