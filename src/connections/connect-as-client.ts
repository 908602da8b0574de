import type { Connector } from '../connectors/connector.ts'
import { AppError } from '../kernel/app-error.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Principal } from '../kernel/principal.ts'
import type { Challenge } from '../upstream/challenge.ts'
import type { Probe } from '../upstream/probe.ts'
import type { TokenEndpoint, TokenSet } from '../upstream/token-endpoint.ts'
import type { TokenOutcome } from '../upstream/token-outcome.ts'
import type { Vault } from '../vault/vault.ts'
import type { FindClient } from './choose-client.ts'
import type { Connection, StepUps } from './connection.ts'
import { bearer } from './credential.ts'
import { newGrant } from './new-grant.ts'
import type { PrepareAuthorization } from './prepare-authorization.ts'
import { probeFailure } from './probe-failure.ts'
import type { ConnectionStore, PinnedAuthorization } from './store.ts'

type Deps = {
  readonly connections: ConnectionStore
  readonly prepareAuthorization: PrepareAuthorization
  readonly findClient: FindClient
  readonly tokenEndpoint: TokenEndpoint
  readonly probe: Probe
  readonly vault: Vault
  readonly clock: Clock
  readonly random: () => number
}

export type AsClient = {
  readonly challenge: Challenge | null
  /** What the grant that there is was asked for; a step-up asks for no less. */
  readonly requestedScopes?: readonly string[]
  /** What to remember of the refusals that led here. */
  readonly stepUps?: StepUps | null
  /** Makes the connection where there is none yet. */
  readonly ensure: () => Promise<Connection>
}

/**
 * Connects with the connector's own client and nobody's account (extension io.modelcontextprotocol/oauth-client-credentials,
 * RFC 6749 section 4.4): asks for a token, tries it, and stores the grant. No person is asked for anything.
 *
 * @returns the connection; null when it changed meanwhile
 * @throws AppError those of discovery and of the choice of a client, `authorization_failed`, `access_token_rejected`,
 *   `insufficient_scope`, and the upstream's; nothing is stored then
 */
export function createConnectAsClient(deps: Deps) {
  const { connections, prepareAuthorization, findClient, tokenEndpoint, probe, vault, clock, random } = deps

  return async (
    principal: Principal,
    connector: Connector,
    { challenge, requestedScopes, stepUps, ensure }: AsClient,
  ): Promise<Connection | null> => {
    const authorization = withoutOfflineAccess(await prepareAuthorization(connector, challenge, requestedScopes))
    const requestedAt = clock.now()
    const tokens = await requestToken(connector, authorization)
    const outcome = await probe({
      url: new URL(connector.url),
      headers: bearer(tokens.accessToken),
      transport: connector.transport,
    })
    if (outcome.kind === 'unauthorized') {
      const isScopeMissing = outcome.challenge?.error === 'insufficient_scope'
      throw new AppError(isScopeMissing ? 'insufficient_scope' : 'access_token_rejected', 'new token refused', {
        publicDetail: isScopeMissing
          ? 'The server wants more permissions than this client is given. Name them in `scopes`, or ask the people who run the server.'
          : 'The server does not accept the token that its authorization server gives this client.',
      })
    }
    if (outcome.kind !== 'ok') throw probeFailure(outcome)
    const connection = await ensure()
    const authType = 'client_credentials'
    return connections.compareAndSet(
      connection,
      {
        ...newGrant(vault, { connection, authorization, authType, tokens, requestedAt, random: random() }),
        ...(stepUps === undefined ? {} : { stepUps }),
      },
      { type: 'connector.connected', code: authType, actorId: principal.id },
    )
  }

  async function requestToken(connector: Connector, authorization: PinnedAuthorization): Promise<TokenSet> {
    const { server, client: pinned, clientSource, registrationId } = authorization
    const { tenantId } = connector
    const reference = { tenantId, issuer: server.issuer, clientSource, registrationId, ...pinned }
    const client = await findClient(connector, reference)
    if (client === null) throw new AppError('conflict', 'the client of the connector was replaced meanwhile')
    const { resource, scopes } = server
    const outcome = await tokenEndpoint.clientCredentials({ server, client, resource, scopes })
    if (outcome.kind !== 'ok') throw tokenFailure(outcome)
    return outcome.tokens
  }
}

export type ConnectAsClient = ReturnType<typeof createConnectAsClient>

/** It asks for a refresh token, which there is none of: the client simply asks again. */
function withoutOfflineAccess(authorization: PinnedAuthorization): PinnedAuthorization {
  const { server } = authorization
  return {
    ...authorization,
    server: { ...server, scopes: server.scopes.filter((scope) => scope !== 'offline_access') },
  }
}

function tokenFailure(outcome: Exclude<TokenOutcome, { kind: 'ok' }>): AppError {
  const message = 'token request of the client failed'
  switch (outcome.kind) {
    case 'transient':
      return new AppError(outcome.reason, message)
    case 'malformed':
      return new AppError('upstream_protocol_error', message, {
        publicDetail: 'The authorization server answered with something that is not a token response.',
      })
    case 'client_rejected':
      return new AppError('authorization_failed', message, {
        publicDetail:
          'The authorization server does not accept this client. Check client_id, and client_secret or private_key.',
        meta: { error: outcome.error },
      })
    default:
      return new AppError('authorization_failed', message, {
        publicDetail:
          'The authorization server does not give this client a token. Check its scopes and permissions there.',
        meta: { error: outcome.error },
      })
  }
}
