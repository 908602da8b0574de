import { randomUUID } from 'node:crypto'
import { createGate, type Gate } from '../gate.ts'
import {
  type Answer,
  respond,
  respondJson,
  respondResult,
  type ScriptedUpstream,
  startScriptedUpstream,
} from './scripted-upstream.ts'

export type ScriptedOAuthOptions = {
  /** What token responses say; left out: they say nothing. */
  readonly expiresInSeconds?: number
  /** Whether grants come with (rotating) refresh tokens. Default: yes. */
  readonly hasRefreshTokens?: boolean
  /**
   * Whether a refresh token that was used already brings the same successor again, for as long as that one is unused. Default:
   * no, it ends the whole family.
   */
  readonly isForgiving?: boolean
  /** Whether it registers clients. Default: yes. */
  readonly isRegistrationOpen?: boolean
  /** The secret that registered clients are given. Default: none. */
  readonly clientSecret?: string
  /** How clients may authenticate. Default: not at all, or with a secret. */
  readonly authMethods?: readonly string[]
  /** The parameters of the answer to an authorization request, besides `state` and `iss`. Default: a code. */
  readonly authorize?: () => Readonly<Record<string, string>>
}

type TokenRequest = {
  readonly form: Readonly<Record<string, string>>
  /** As it came: how the client authenticated. */
  readonly authorization: string | undefined
}

export type ScriptedOAuth = Pick<ScriptedUpstream, 'origin' | 'url' | 'received' | 'close'> & {
  /** Each request to the token endpoint so far, oldest first. */
  readonly tokenRequests: readonly TokenRequest[]
  /** Each token that was asked to be revoked so far. */
  readonly revoked: readonly string[]
  /** Every refresh token that was given out, oldest first. */
  readonly refreshTokens: readonly string[]
  /** From now on token requests are held in front of the gate. */
  holdTokens(): Gate
  /** From now on registrations are held in front of the gate. */
  holdRegistrations(): Gate
  /** Takes this instead of what the token endpoint would say; null: back to normal. */
  answerTokensWith(answer: Answer | null): void
  /** Takes this instead of what the MCP server would say; null: back to normal. */
  answerMcpWith(answer: Answer | null): void
  /** A code that it will take. */
  newCode(): string
  /** An access token that it will take. */
  newAccessToken(): string
  /** From now on no access token that was given out so far is good for anything. */
  expireAccessTokens(): void
}

/**
 * An MCP server of the legacy era with an authorization server in front, on one origin, which does everything at once: it
 * asks nobody, and lets tests hold its answers. Refresh tokens rotate; one that is used twice ends its family.
 */
export async function startScriptedOAuth(options: ScriptedOAuthOptions = {}): Promise<ScriptedOAuth> {
  const { isForgiving = false } = options
  const { hasRefreshTokens = true, isRegistrationOpen = true, expiresInSeconds, authorize } = options
  const { authMethods = ['none', 'client_secret_basic', 'client_secret_post'] } = options
  const tokenRequests: TokenRequest[] = []
  const revoked: string[] = []
  const refreshTokens: string[] = []
  const goodAccess = new Set<string>()
  const goodRefresh = new Set<string>()
  const codes = new Set<string>()
  const replays = new Map<string, Answer>()
  const gates: { tokens?: Gate; registrations?: Gate } = {}
  let standIn: Answer | null = null
  let mcpStandIn: Answer | null = null

  const upstream = await startScriptedUpstream()
  const { origin, url } = upstream

  const metadata = {
    issuer: origin,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    revocation_endpoint: `${origin}/revoke`,
    ...(isRegistrationOpen ? { registration_endpoint: `${origin}/register` } : {}),
    response_types_supported: ['code'],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: authMethods,
    authorization_response_iss_parameter_supported: true,
  }

  const newAccessToken = (): string => {
    const token = `access-${randomUUID()}`
    goodAccess.add(token)
    return token
  }

  const grant = (): Answer => {
    const access = newAccessToken()
    const refresh = `refresh-${randomUUID()}`
    if (hasRefreshTokens) {
      goodRefresh.add(refresh)
      refreshTokens.push(refresh)
    }
    return respondJson({
      access_token: access,
      token_type: 'Bearer',
      ...(hasRefreshTokens ? { refresh_token: refresh } : {}),
      ...(expiresInSeconds === undefined ? {} : { expires_in: expiresInSeconds }),
    })
  }

  const newCode = (): string => {
    const code = randomUUID()
    codes.add(code)
    return code
  }

  const redeem = (form: Readonly<Record<string, string>>): Answer => {
    const refused = respondJson({ error: 'invalid_grant' }, 400)
    if (form.grant_type === 'authorization_code') return codes.delete(form.code ?? '') ? grant() : refused
    const presented = form.refresh_token ?? ''
    if (goodRefresh.delete(presented)) {
      const answer = grant()
      replays.clear()
      if (isForgiving) replays.set(presented, answer)
      return answer
    }
    const replay = replays.get(presented)
    if (replay !== undefined) return replay
    goodRefresh.clear()
    goodAccess.clear()
    return refused
  }

  upstream.script((request) => async (response) => {
    const { pathname, searchParams } = new URL(request.target, origin)
    const answer = async (): Promise<Answer> => {
      switch (pathname) {
        case '/.well-known/oauth-protected-resource/mcp':
          return respondJson({ resource: url, authorization_servers: [origin] })
        case '/.well-known/oauth-authorization-server':
          return respondJson(metadata)
        case '/register':
          await gates.registrations?.pass()
          return respondJson(
            {
              ...JSON.parse(request.body),
              client_id: `client-${randomUUID()}`,
              ...(options.clientSecret === undefined ? {} : { client_secret: options.clientSecret }),
            },
            201,
          )
        case '/authorize': {
          const callback = new URL(searchParams.get('redirect_uri') ?? '')
          const parameters = {
            ...(authorize?.() ?? { code: newCode() }),
            iss: origin,
            state: searchParams.get('state') ?? '',
          }
          for (const [name, value] of Object.entries(parameters)) callback.searchParams.set(name, value)
          return respond(302, '', { location: callback.href })
        }
        case '/token': {
          const form = Object.fromEntries(new URLSearchParams(request.body))
          tokenRequests.push({ form, authorization: request.headers.authorization })
          await gates.tokens?.pass()
          return standIn ?? redeem(form)
        }
        case '/revoke':
          revoked.push(new URLSearchParams(request.body).get('token') ?? '')
          return respond(200)
        case '/mcp':
          return mcpStandIn ?? serveMcp(request.headers.authorization, request.method, request.body)
        default:
          return respond(404)
      }
    }
    await (await answer())(response, request)
  })

  function serveMcp(authorization: string | undefined, method: string, body: string): Answer {
    if (!goodAccess.has(authorization?.replace(/^Bearer /, '') ?? '')) {
      const pointer = `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`
      return respond(401, '', { 'www-authenticate': pointer })
    }
    if (method !== 'POST') return respond(405, '', { allow: 'POST' })
    const message = JSON.parse(body)
    if (message.id === undefined) return respond(202)
    switch (message.method) {
      case 'initialize':
        return respondResult({
          protocolVersion: message.params.protocolVersion,
          capabilities: { tools: {} },
          serverInfo: { name: 'scripted', version: '1.0.0' },
        })
      case 'tools/list':
        return respondResult({ tools: [{ name: 'ping', inputSchema: { type: 'object' } }] })
      case 'tools/call':
        return respondResult({ content: [{ type: 'text', text: 'pong' }] })
      default:
        return respondJson({ jsonrpc: '2.0', id: message.id, error: { code: -32601, message: 'Method not found' } })
    }
  }

  return {
    origin,
    url,
    received: upstream.received,
    tokenRequests,
    revoked,
    refreshTokens,
    holdTokens() {
      gates.tokens = createGate()
      return gates.tokens
    },
    holdRegistrations() {
      gates.registrations = createGate()
      return gates.registrations
    },
    answerTokensWith(answer) {
      standIn = answer
    },
    answerMcpWith(answer) {
      mcpStandIn = answer
    },
    newCode,
    newAccessToken,
    expireAccessTokens: () => goodAccess.clear(),
    close: upstream.close,
  }
}
