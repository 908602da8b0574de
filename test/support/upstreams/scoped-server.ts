import { randomUUID } from 'node:crypto'
import {
  type Answer,
  respond,
  respondJson,
  respondResult,
  type ScriptedUpstream,
  startScriptedUpstream,
} from './scripted-upstream.ts'

type TokenRequest = { readonly form: Readonly<Record<string, string>>; readonly authorization: string | undefined }

export type ScopedIssuer = {
  readonly origin: string
  /** The query of each authorization request so far, oldest first. */
  readonly authorizations: readonly Readonly<Record<string, string>>[]
  readonly tokenRequests: readonly TokenRequest[]
  /** Each token that was asked to be revoked so far. */
  readonly revoked: readonly string[]
  /** What its metadata says from now on, besides the usual. */
  says: Readonly<Record<string, unknown>>
  /** How many clients it has registered. */
  readonly registrations: () => number
  /** Which of the scopes that are asked for it gives. Default: all. */
  gives: (scopes: readonly string[]) => readonly string[]
  /** What the token endpoint says to every request, in place of a token. */
  refuses: Answer | null
  /** From now on no access token that it gave so far is good for anything. */
  forgetTokens(): void
  close(): Promise<void>
}

export type ScopedServer = {
  readonly url: string
  readonly issuer: ScopedIssuer
  /** Names another authorization server from now on, and takes no token of the one before. */
  moveTo(issuer: ScopedIssuer): void
  /** The scope that a tool, or `tools/list`, needs; '' for none. Without it: `basic`. */
  readonly needs: Map<string, string>
  /** While true no token is good enough: 401. */
  isRefusing: boolean
  close(): Promise<void>
}

/** The scopes of each access token that any of the issuers gave. */
const scopesOf = new Map<string, { readonly issuer: string; readonly scopes: readonly string[] }>()

/**
 * An authorization server that asks nobody: it gives what was asked for, registers everybody, and rotates refresh tokens.
 * With `client_credentials` it takes any client.
 */
export async function startScopedIssuer(): Promise<ScopedIssuer> {
  const authorizations: Record<string, string>[] = []
  const tokenRequests: TokenRequest[] = []
  const revoked: string[] = []
  const grants = new Map<string, readonly string[]>()
  let registrations = 0
  const upstream = await startScriptedUpstream()
  const { origin } = upstream

  const give = (scopes: readonly string[], hasRefreshToken: boolean): Answer => {
    const given = issuer.gives(scopes)
    const accessToken = `access-${randomUUID()}`
    const refreshToken = `refresh-${randomUUID()}`
    scopesOf.set(accessToken, { issuer: origin, scopes: given })
    grants.set(refreshToken, scopes)
    return respondJson({
      access_token: accessToken,
      token_type: 'Bearer',
      expires_in: 3600,
      scope: given.join(' '),
      ...(hasRefreshToken ? { refresh_token: refreshToken } : {}),
    })
  }

  const redeem = ({ form, authorization }: TokenRequest): Answer => {
    tokenRequests.push({ form, authorization })
    if (issuer.refuses !== null) return issuer.refuses
    if (form.grant_type === 'client_credentials') return give((form.scope ?? '').split(' '), false)
    const ticket = form.code ?? form.refresh_token ?? ''
    const scopes = grants.get(ticket)
    grants.delete(ticket)
    return scopes === undefined ? respondJson({ error: 'invalid_grant' }, 400) : give(scopes, true)
  }

  const authorize = (query: URLSearchParams): Answer => {
    authorizations.push(Object.fromEntries(query))
    const code = randomUUID()
    grants.set(code, (query.get('scope') ?? '').split(' '))
    const callback = new URL(query.get('redirect_uri') ?? '')
    for (const [name, value] of Object.entries({ code, iss: origin, state: query.get('state') ?? '' })) {
      callback.searchParams.set(name, value)
    }
    return respond(302, '', { location: callback.href })
  }

  const metadata = {
    issuer: origin,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    registration_endpoint: `${origin}/register`,
    revocation_endpoint: `${origin}/revoke`,
    response_types_supported: ['code'],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: ['none', 'client_secret_basic', 'private_key_jwt'],
    authorization_response_iss_parameter_supported: true,
  }

  upstream.script(({ target, body, headers }) => {
    const { pathname, searchParams } = new URL(target, origin)
    const form = Object.fromEntries(new URLSearchParams(body))
    switch (pathname) {
      case '/.well-known/oauth-authorization-server':
        return respondJson({ ...metadata, ...issuer.says })
      case '/register':
        registrations += 1
        return respondJson({ client_id: `client-${registrations}`, token_endpoint_auth_method: 'none' }, 201)
      case '/authorize':
        return authorize(searchParams)
      case '/token':
        return redeem({ form, authorization: headers.authorization })
      case '/revoke':
        revoked.push(form.token ?? '')
        return respond(200)
      default:
        return respond(404)
    }
  })

  const issuer: ScopedIssuer = {
    origin,
    authorizations,
    tokenRequests,
    revoked,
    registrations: () => registrations,
    gives: (scopes) => scopes,
    refuses: null,
    says: {},
    forgetTokens() {
      for (const [token, facts] of scopesOf) if (facts.issuer === origin) scopesOf.delete(token)
    },
    close: upstream.close,
  }
  return issuer
}

/** An MCP server of the legacy era whose tools need scopes: `ping` needs `basic`, as everything does unless told otherwise. */
export async function startScopedServer(issuer: ScopedIssuer): Promise<ScopedServer> {
  const needs = new Map<string, string>()
  let current = issuer
  const upstream: ScriptedUpstream = await startScriptedUpstream()
  const { origin, url } = upstream
  const pointer = `resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`

  const refuse = (status: 401 | 403, scope: string): Answer => {
    const error = status === 401 ? 'invalid_token' : 'insufficient_scope'
    return respond(status, '', { 'www-authenticate': `Bearer error="${error}", scope="${scope}", ${pointer}` })
  }

  const serve = (authorization: string | undefined, body: string): Answer => {
    const message = JSON.parse(body)
    if (message.id === undefined) return respond(202)
    if (message.method === 'initialize') {
      const { protocolVersion } = message.params
      const serverInfo = { name: 'scoped', version: '1.0.0' }
      return respondResult({ protocolVersion, capabilities: { tools: {} }, serverInfo })
    }
    const needed = needs.get(message.params?.name ?? message.method) ?? 'basic'
    const token = scopesOf.get(authorization?.replace(/^Bearer /, '') ?? '')
    if (server.isRefusing || token === undefined || token.issuer !== current.origin) return refuse(401, 'basic')
    if (needed !== '' && !needed.split(' ').every((scope) => token.scopes.includes(scope))) return refuse(403, needed)
    if (message.method === 'tools/list') return respondResult({ tools: [] })
    if (message.method === 'tools/call') return respondResult({ content: [{ type: 'text', text: 'pong' }] })
    return respondJson({ jsonrpc: '2.0', id: message.id, error: { code: -32601, message: 'Method not found' } })
  }

  upstream.script(({ target, method, headers, body }) => {
    if (target === '/.well-known/oauth-protected-resource/mcp') {
      return respondJson({ resource: url, authorization_servers: [current.origin] })
    }
    if (target !== '/mcp') return respond(404)
    return method === 'POST' ? serve(headers.authorization, body) : respond(405, '', { allow: 'POST' })
  })

  const server: ScopedServer = {
    url,
    issuer,
    needs,
    isRefusing: false,
    moveTo(next) {
      current = next
    },
    close: upstream.close,
  }
  return server
}
