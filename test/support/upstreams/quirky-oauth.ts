import { createHash } from 'node:crypto'
import {
  type Answer,
  respond,
  respondJson,
  respondResult,
  type ScriptedUpstream,
  startScriptedUpstream,
} from './scripted-upstream.ts'

type Site = Pick<ScriptedUpstream, 'origin' | 'url'>
/** Members to set in a document; undefined takes one out. */
type Members = Readonly<Record<string, unknown>>

/** What is unlike a server by the book. */
export type OauthQuirks = {
  /** The protected resource metadata. */
  readonly resource?: Members
  /** The authorization server metadata. */
  readonly metadata?: Members
  /** The answer to a registration. */
  readonly registration?: Members
  /** The answer of the token endpoint. */
  readonly token?: Members
  /** More parameters of the authorization response. */
  readonly callback?: Readonly<Record<string, string>>
  /** `WWW-Authenticate`; null: none. */
  readonly challenge?: string | null
  /** Whole answers by path, in place of the usual ones; null: 404. */
  readonly answers?: Readonly<Record<string, Answer | null>>
}

export type QuirkyOauth = ScriptedUpstream & {
  /** The fields of the token requests so far, with `authorization` among them where the header was there. */
  readonly tokenRequests: readonly Readonly<Record<string, string>>[]
  /** The query of the authorization requests so far. */
  readonly authorizations: readonly Readonly<Record<string, string>>[]
}

export const paths = {
  resourceByPath: '/.well-known/oauth-protected-resource/mcp',
  resourceAtRoot: '/.well-known/oauth-protected-resource',
  oauthMetadata: '/.well-known/oauth-authorization-server',
  openidMetadata: '/.well-known/openid-configuration',
} as const

/** An authorization code with characters that must be escaped on every hop. */
export const code = '4/0A+b=c&d%e'
const accessToken = 'upstream-access-token'

/**
 * An MCP server of 2025-11-25 and its authorization server at one origin, both by the book but for the quirks. Whoever
 * authorizes is believed at once; PKCE is checked.
 */
export async function startQuirkyOauth(quirks: (site: Site) => OauthQuirks = () => ({})): Promise<QuirkyOauth> {
  const upstream = await startScriptedUpstream()
  const { origin, url } = upstream
  const unlike = quirks({ origin, url })
  const authorizations: Record<string, string>[] = []
  const tokenRequests: Record<string, string>[] = []

  const resource = { resource: url, authorization_servers: [origin], ...unlike.resource }
  const metadata = {
    issuer: origin,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    registration_endpoint: `${origin}/register`,
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: ['none'],
    ...unlike.metadata,
  }
  const challenge =
    unlike.challenge === undefined ? `Bearer resource_metadata="${origin}${paths.resourceByPath}"` : unlike.challenge

  const usual: Readonly<Record<string, Answer>> = {
    '/mcp': mcpServer(challenge),
    [paths.resourceByPath]: respondJson(resource),
    [paths.oauthMetadata]: respondJson(metadata),
    '/register': respondJson({ client_id: 'registered', ...unlike.registration }, 201),
    '/authorize': (response, request) => {
      const query = Object.fromEntries(new URL(request.target, origin).searchParams)
      authorizations.push(query)
      const back = new URL(query.redirect_uri ?? '')
      for (const [name, value] of Object.entries({ code, state: query.state ?? '', ...unlike.callback }))
        back.searchParams.set(name, value)
      return respond(302, '', { location: back.href })(response, request)
    },
    '/token': (response, request) => {
      const fields = Object.fromEntries(new URLSearchParams(request.body))
      const { authorization } = request.headers
      tokenRequests.push({ ...fields, ...(authorization === undefined ? {} : { authorization }) })
      const verified = createHash('sha256')
        .update(fields.code_verifier ?? '')
        .digest('base64url')
      const isGood = fields.code === code && verified === authorizations.at(-1)?.code_challenge
      const answer = isGood
        ? respondJson({ access_token: accessToken, token_type: 'Bearer', expires_in: 3600, ...unlike.token })
        : respondJson({ error: 'invalid_grant' }, 400)
      return answer(response, request)
    },
  }
  upstream.script(({ target }) => {
    const path = new URL(target, origin).pathname
    const answer = unlike.answers?.[path]
    return (answer === undefined ? usual[path] : answer) ?? respond(404)
  })
  return { ...upstream, authorizations, tokenRequests }
}

function mcpServer(challenge: string | null): Answer {
  return (response, request) => {
    const isKnown = request.headers.authorization === `Bearer ${accessToken}`
    const answer = isKnown
      ? answerRpc(request.method, request.body)
      : respond(401, '', challenge === null ? {} : { 'www-authenticate': challenge })
    return answer(response, request)
  }
}

/** As little of MCP 2025-11-25 as a client must find. */
export function answerRpc(method: string, body: string): Answer {
  if (method !== 'POST') return respond(405)
  const { id, method: rpc } = JSON.parse(body)
  if (id === undefined) return respond(202)
  if (rpc === 'initialize') {
    const serverInfo = { name: 'quirky', version: '1' }
    return respondResult({ protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo })
  }
  if (rpc === 'tools/list') return respondResult({ tools: [] })
  return respondJson({ jsonrpc: '2.0', id, error: { code: -32601, message: 'Method not found' } })
}
