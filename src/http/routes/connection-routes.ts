import type { ScanLimit } from '../../access/scan-limit.ts'
import type { EventStore } from '../../audit/store.ts'
import type { Connect } from '../../connections/connect.ts'
import type { Disconnect } from '../../connections/disconnect.ts'
import type { PostCompletion } from '../../connections/post-completion.ts'
import type { RefreshAtOnce } from '../../connections/refresh-at-once.ts'
import type { ConnectionStore } from '../../connections/store.ts'
import type { ConnectorStore } from '../../connectors/store.ts'
import { createFindConnector } from '../../connectors/visibility.ts'
import { present } from '../fields.ts'
import type { RepresentConnectors } from '../represent-connectors.ts'
import { representEvent, representList } from '../representations.ts'
import { defineRoute, type Route } from '../route.ts'
import {
  completionBody,
  connectBody,
  connectorSchema,
  eventSchema,
  idParams,
  listEventsQuery,
  listSchema,
} from '../schemas.ts'

type Deps = {
  readonly connectors: ConnectorStore
  readonly connections: ConnectionStore
  readonly events: EventStore
  readonly represent: RepresentConnectors
  readonly connect: Connect
  readonly scanLimit: ScanLimit
  readonly postCompletion: PostCompletion
  readonly disconnect: Disconnect
  readonly refreshAtOnce: RefreshAtOnce
}

const upstreamErrors = [
  'upstream_error',
  'upstream_protocol_error',
  'upstream_unreachable',
  'upstream_timeout',
] as const

/** What is done with a connector's connection, and what happened to it. */
export function createConnectionRoutes(deps: Deps): Route[] {
  const { connections, events, represent } = deps
  const findConnector = createFindConnector(deps)

  return [
    defineRoute({
      method: 'post',
      path: '/connectors/{id}/connect',
      operationId: 'connectConnector',
      summary: 'Connect',
      scope: 'connectors:write',
      params: idParams,
      body: connectBody,
      success: {
        status: 200,
        description: '`connected`, or `auth_required` with a link in `auth_request` for a person to open.',
        schema: connectorSchema,
      },
      errors: [
        'not_found',
        'forbidden',
        'subject_required',
        'connector_disabled',
        'redirect_url_not_allowed',
        'access_token_rejected',
        'authorization_server_not_found',
        'authorization_server_invalid',
        'authorization_server_changed',
        'pkce_unsupported',
        'client_registration_failed',
        'authorization_failed',
        'insufficient_scope',
        'client_id_required',
        'rate_limited',
        ...upstreamErrors,
      ],
      handle: async ({ principal, params, body }) => {
        const connector = await findConnector(principal, params.id)
        const { redirect_url, access_token, completion, subject } = body
        const request = present({
          redirectUrl: redirect_url,
          accessToken: access_token,
          wantsCompletion: completion === 'code',
          subject,
        })
        const run = () => deps.connect(principal, connector, request)
        const connected = await deps.scanLimit({ principal, url: connector.url, run })
        return represent.one(principal, connector, connected)
      },
    }),

    defineRoute({
      method: 'post',
      path: '/connectors/{id}/connect/complete',
      operationId: 'completeConnect',
      summary: 'Finish a connect that asked for a completion',
      scope: 'connectors:write',
      params: idParams,
      body: completionBody,
      success: { status: 200, description: 'The connector, `connected`.', schema: connectorSchema },
      errors: ['not_found', 'link_expired', 'authorization_failed', 'access_token_rejected', ...upstreamErrors],
      handle: async ({ principal, params, body }) => {
        const connector = await findConnector(principal, params.id)
        const connected = await deps.postCompletion(principal, connector, body.completion)
        return represent.one(principal, connector, connected)
      },
    }),

    defineRoute({
      method: 'post',
      path: '/connectors/{id}/disconnect',
      operationId: 'disconnectConnector',
      summary: 'Disconnect',
      scope: 'connectors:write',
      params: idParams,
      success: { status: 200, description: 'The connector, `disconnected`.', schema: connectorSchema },
      errors: ['not_found', 'forbidden', 'not_connected'],
      handle: async ({ principal, params }) => {
        const connector = await findConnector(principal, params.id)
        await deps.disconnect(principal, connector)
        return represent.one(principal, connector)
      },
    }),

    defineRoute({
      method: 'post',
      path: '/connectors/{id}/refresh',
      operationId: 'refreshConnector',
      summary: 'Get a new access token now',
      scope: 'connectors:write',
      params: idParams,
      success: {
        status: 200,
        description: 'The connector with its new token, or `disconnected` when the grant turned out to be over.',
        schema: connectorSchema,
      },
      errors: [
        'not_found',
        'forbidden',
        'not_connected',
        'not_refreshable',
        'refresh_in_progress',
        'upstream_error',
        'upstream_unreachable',
        'upstream_timeout',
      ],
      handle: async ({ principal, params }) => {
        const connector = await findConnector(principal, params.id)
        return represent.one(principal, connector, await deps.refreshAtOnce(principal, connector))
      },
    }),

    defineRoute({
      method: 'get',
      path: '/connectors/{id}/events',
      operationId: 'listConnectorEvents',
      summary: 'What happened to a connector, and why',
      scope: 'connectors:read',
      params: idParams,
      query: listEventsQuery,
      success: { status: 200, description: 'Events, newest first.', schema: listSchema(eventSchema) },
      errors: ['not_found'],
      handle: async ({ principal, params, query }) => {
        const connector = await findConnector(principal, params.id)
        const connection = await connections.resolve(principal.tenantId, connector.id, principal)
        const page = await events.list(
          principal.tenantId,
          connector.id,
          connection === null ? [] : [connection.id],
          present({ limit: query.limit, before: query.page_token }),
        )
        return representList(page.items.map(representEvent), page.totalCount, page.hasMore)
      },
    }),
  ]
}
