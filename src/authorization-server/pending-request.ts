import type { IncomingMessage, ServerResponse } from 'node:http'
import type { InteractionResults } from 'oidc-provider'
import type { Connector } from '../connectors/connector.ts'
import type { ConnectorStore } from '../connectors/store.ts'
import { addMs, type Clock } from '../kernel/clock.ts'
import { newId } from '../kernel/id.ts'
import { isLoopbackOrigin } from '../kernel/resource-url.ts'
import { type AuthorizationServer, grantSeconds } from './authorization-server.ts'
import { connectorOfResource, mcpScope, offlineScope } from './connector-resource.ts'
import type { GrantStore } from './grant.ts'
import { artifactHash } from './oidc-adapter.ts'
import type { Person } from './person-session.ts'
import type { ArtifactStore, OauthClientStore } from './store.ts'

/** A host's request that waits for a person. What it asks for is kept here, not in the page's form. */
export type PendingRequest = {
  readonly id: string
  readonly client: {
    readonly id: string
    /** As it calls itself. */
    readonly name: string | null
    /** The host that vouches for it: where its metadata document is published. Null for a client that registered itself. */
    readonly host: string | null
    /** Whether it is given refresh tokens. */
    readonly canRefresh: boolean
  }
  readonly redirect: {
    /** `web`: a host; `loopback`: this computer; `app`: an application that claims the scheme. */
    readonly kind: 'web' | 'loopback' | 'app'
    /** A host, or `scheme:`. */
    readonly place: string
  }
  readonly connector: Connector
  readonly resource: string
  /** What a consent grants. */
  readonly scope: string
}

type Deps = {
  readonly authorizationServer: AuthorizationServer
  readonly artifacts: ArtifactStore
  readonly grants: GrantStore
  readonly clients: OauthClientStore
  readonly connectors: ConnectorStore
  readonly clock: Clock
  readonly publicUrl: URL
}

/** Requests that wait for a person, each tied to the browser that it came with. */
export function createPendingRequests(deps: Deps) {
  const { authorizationServer, artifacts, grants, clients, connectors, clock, publicUrl } = deps

  async function find(request: IncomingMessage, response: ServerResponse, id: string): Promise<PendingRequest | null> {
    const provider = await authorizationServer.provider()
    const interaction = await provider.interactionDetails(request, response).catch(() => null)
    // the cookie says which request this browser began; another one's address opens nothing
    if (interaction === null || interaction.uid !== id || interaction.result !== undefined) return null
    const { client_id: clientId, redirect_uri: redirectUri, resource, scope } = interaction.params
    if (typeof clientId !== 'string' || typeof redirectUri !== 'string' || typeof resource !== 'string') return null
    const connectorId = connectorOfResource(publicUrl, resource)
    const tenantId = connectorId === null ? null : await connectors.tenantOf(connectorId)
    const connector = tenantId === null || connectorId === null ? null : await connectors.find(tenantId, connectorId)
    const client = await provider.Client.find(clientId).catch(() => undefined)
    if (connector === null || client === undefined) return null
    const asked = typeof scope === 'string' ? scope.split(' ') : []
    return {
      id,
      client: {
        id: clientId,
        name: client.clientName ?? null,
        canRefresh: client.grantTypeAllowed('refresh_token'),
        host: client.clientIdMetadataDocument === true ? new URL(clientId).host : null,
      },
      redirect: describeRedirect(new URL(redirectUri)),
      connector,
      resource,
      scope: [mcpScope, offlineScope].filter((name) => asked.includes(name)).join(' '),
    }
  }

  /** Ends the wait, once. @returns where the browser goes on to; null when the request was answered before */
  async function finish(
    request: IncomingMessage,
    response: ServerResponse,
    { id }: PendingRequest,
    decide: () => Promise<InteractionResults>,
  ): Promise<string | null> {
    if (!(await artifacts.consume(artifactHash('Interaction', id), clock.now()))) return null
    const provider = await authorizationServer.provider()
    return provider.interactionResult(request, response, await decide(), { mergeWithLastSubmission: false })
  }

  return {
    find,

    allow: (request: IncomingMessage, response: ServerResponse, pending: PendingRequest, person: Person) =>
      finish(request, response, pending, async () => {
        const { client, connector, resource, scope } = pending
        const expiresAt = addMs(clock.now(), grantSeconds * 1000)
        const grantId = newId()
        await grants.create({
          id: grantId,
          tenantId: connector.tenantId,
          connectorId: connector.id,
          principalId: person.id,
          clientId: client.id,
          clientName: client.name ?? client.host ?? 'An unnamed app',
          resource,
          scope,
          expiresAt,
        })
        await clients.keepUntil(client.id, expiresAt)
        return { login: { accountId: person.id }, consent: { grantId } }
      }),

    deny: (request: IncomingMessage, response: ServerResponse, pending: PendingRequest) =>
      finish(request, response, pending, async () => ({
        error: 'access_denied',
        error_description: 'The person did not allow it.',
      })),
  }
}

export type PendingRequests = ReturnType<typeof createPendingRequests>

function describeRedirect(url: URL): PendingRequest['redirect'] {
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return { kind: 'app', place: url.protocol }
  return { kind: isLoopbackOrigin(url) ? 'loopback' : 'web', place: url.host }
}
