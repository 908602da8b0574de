import { addMs, type Clock } from '../kernel/clock.ts'
import { newId } from '../kernel/id.ts'
import { hashToken, randomToken, Secret } from '../kernel/secret.ts'
import type { PresetCatalog } from '../presets/match-preset.ts'
import { buildAuthorizationUrl } from '../upstream/authorization-request.ts'
import type { Vault } from '../vault/vault.ts'
import type { ChooseClient } from './choose-client.ts'
import { sealFor } from './connection-secrets.ts'
import type { PrepareAuthorization } from './prepare-authorization.ts'
import type { OpenTicket } from './read-ticket.ts'
import type { FlowStore } from './store.ts'

type Deps = {
  readonly flows: FlowStore
  readonly prepareAuthorization: PrepareAuthorization
  readonly chooseClient: ChooseClient
  readonly presets: PresetCatalog
  readonly vault: Vault
  readonly clock: Clock
  readonly redirectUri: string
  readonly flowTtlMs: number
}

/**
 * Begins one authorization attempt, when somebody pressed Continue: state (RFC 6749 section 10.12), PKCE verifier
 * (RFC 7636), and the server and client that it is pinned to from here on. Every press is an attempt of its own.
 *
 * @param browserToken what the browser's cookie holds; the attempt can only end in the browser that began it
 * @returns the URL of the upstream's authorization page
 */
export function createStartFlow(deps: Deps) {
  const { flows, prepareAuthorization, chooseClient, presets, vault, clock, redirectUri, flowTtlMs } = deps

  return async ({ ticket, connection, connector }: OpenTicket, browserToken: string): Promise<URL> => {
    // the server is the one that the page named; the client may have been forgotten or replaced since
    const authorization =
      ticket.authorization === null
        ? await prepareAuthorization(connector, connection.challenge, connection.requestedScopes)
        : await chooseClient(connector, ticket.authorization.server)
    const state = randomToken()
    const verifier = new Secret(randomToken())
    const row = { id: newId(), tenantId: ticket.tenantId }
    await flows.create({
      ...row,
      ticketId: ticket.id,
      connectionId: connection.id,
      stateHash: hashToken(state),
      browserHash: hashToken(browserToken),
      sealedVerifier: sealFor(vault, 'verifier', row, verifier),
      grantEpoch: connection.grantEpoch,
      authorization,
      redirectUrl: ticket.redirectUrl,
      wantsCompletion: ticket.wantsCompletion,
      initiatorPrincipalId: ticket.initiatorPrincipalId,
      expiresAt: addMs(clock.now(), flowTtlMs),
    })
    const preset = connector.presetId === null ? undefined : presets.byId(connector.presetId)
    return buildAuthorizationUrl({
      server: authorization.server,
      clientId: authorization.client.clientId,
      redirectUri,
      state,
      codeVerifier: verifier,
      ...(preset?.quirks === undefined ? {} : { quirks: preset.quirks }),
    })
  }
}

export type StartFlow = ReturnType<typeof createStartFlow>
