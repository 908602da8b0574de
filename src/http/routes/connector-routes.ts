import type { ScanLimit } from '../../access/scan-limit.ts'
import type { EventStore } from '../../audit/store.ts'
import type { Connect } from '../../connections/connect.ts'
import type { Connection } from '../../connections/connection.ts'
import type { Disconnect } from '../../connections/disconnect.ts'
import type { ManageConnectors } from '../../connections/manage-connectors.ts'
import type { PostCompletion } from '../../connections/post-completion.ts'
import type { RefreshAtOnce } from '../../connections/refresh-at-once.ts'
import type { ConnectionStore } from '../../connections/store.ts'
import type { ViewConnectors } from '../../connections/view-connectors.ts'
import type { Connector } from '../../connectors/connector.ts'
import type { CreateConnectorRequest, createCreateConnector } from '../../connectors/create-connector.ts'
import type { ConnectorStore } from '../../connectors/store.ts'
import type { UpdateConnectorRequest } from '../../connectors/update-connector.ts'
import { createFindConnector } from '../../connectors/visibility.ts'
import type { Principal } from '../../kernel/principal.ts'
import { resourceUrlKey } from '../../kernel/resource-url.ts'
import type { PresetCatalog } from '../../presets/match-preset.ts'
import { readAuth } from '../connector-auth.ts'
import { present } from '../fields.ts'
import { representConnector, representEvent, representList, representPreset } from '../representations.ts'
import { defineRoute, type Route } from '../route.ts'
import {
  completionBody,
  connectBody,
  connectorSchema,
  createConnectorBody,
  eventSchema,
  idParams,
  listConnectorsQuery,
  listEventsQuery,
  listSchema,
  presetSchema,
  updateConnectorBody,
} from '../schemas.ts'

export type ConnectorRoutesDeps = {
  readonly connectors: ConnectorStore
  readonly connections: ConnectionStore
  readonly events: EventStore
  readonly presets: PresetCatalog
  readonly createConnector: ReturnType<typeof createCreateConnector>
  readonly manageConnectors: ManageConnectors
  readonly viewConnectors: ViewConnectors
  readonly connect: Connect
  readonly scanLimit: ScanLimit
  readonly postCompletion: PostCompletion
  readonly disconnect: Disconnect
  readonly refreshAtOnce: RefreshAtOnce
  readonly publicUrl: URL
}

const upstreamErrors = [
  'upstream_error',
  'upstream_protocol_error',
  'upstream_unreachable',
  'upstream_timeout',
] as const

/** The connectors API: what clients of Agent Stack call, and our additions. */
export function createConnectorRoutes(deps: ConnectorRoutesDeps): Route[] {
  const { connectors, connections, events, presets, manageConnectors, viewConnectors, publicUrl } = deps
  const findConnector = createFindConnector(deps)

  const represent = async (principal: Principal, items: readonly Connector[]) =>
    (await viewConnectors(principal, items)).map((view) => representConnector(view, publicUrl))

  const representOne = async (principal: Principal, connector: Connector, shown?: Connection) => {
    const [view] = await viewConnectors(principal, [connector], shown)
    if (view === undefined) throw new Error('a view for each connector')
    return representConnector(view, publicUrl)
  }

  return [
    defineRoute({
      method: 'get',
      path: '/connectors/presets',
      operationId: 'listPresets',
      summary: 'The catalog of known MCP servers',
      scope: 'connectors:read',
      success: { status: 200, description: 'Every preset; never a credential.', schema: listSchema(presetSchema) },
      errors: [],
      handle: async () => representList(presets.all.map(representPreset), presets.all.length, false),
    }),

    defineRoute({
      method: 'post',
      path: '/connectors',
      operationId: 'createConnector',
      summary: 'Register a remote MCP server',
      scope: 'connectors:write',
      body: createConnectorBody,
      success: { status: 201, description: 'The new connector; nothing was contacted yet.', schema: connectorSchema },
      errors: ['url_invalid', 'url_not_allowed', 'client_id_missing', 'connector_exists'],
      handle: async ({ principal, body }) => {
        const { client_id, client_secret, match_preset, credential_scope, auth, ...rest } = body
        const request = present({
          ...rest,
          clientId: client_id,
          clientSecret: client_secret,
          matchPreset: match_preset,
          credentialScope: credential_scope,
          auth: auth === undefined ? undefined : readAuth(auth),
        })
        return representOne(principal, await deps.createConnector(principal, request as CreateConnectorRequest))
      },
    }),

    defineRoute({
      method: 'get',
      path: '/connectors',
      operationId: 'listConnectors',
      summary: "Your connectors and your organisation's",
      scope: 'connectors:read',
      query: listConnectorsQuery,
      success: { status: 200, description: 'A page of connectors.', schema: listSchema(connectorSchema) },
      errors: [],
      handle: async ({ principal, query }) => {
        const page = await connectors.list(
          principal,
          present({
            limit: query.limit,
            order: query.order,
            after: query.page_token,
            state: query.state,
            urlKey: query.url === undefined ? undefined : keyOf(query.url),
            presetId: query.preset,
            text: query.q,
          }),
        )
        return representList(await represent(principal, page.items), page.totalCount, page.hasMore)
      },
    }),

    defineRoute({
      method: 'get',
      path: '/connectors/{id}',
      operationId: 'getConnector',
      summary: 'One connector',
      scope: 'connectors:read',
      params: idParams,
      success: {
        status: 200,
        description: 'The connector, with the state of the connection that you would use.',
        schema: connectorSchema,
      },
      errors: ['not_found'],
      handle: async ({ principal, params }) => representOne(principal, await findConnector(principal, params.id)),
    }),

    defineRoute({
      method: 'patch',
      path: '/connectors/{id}',
      operationId: 'updateConnector',
      summary: 'Change a connector',
      scope: 'connectors:write',
      params: idParams,
      body: updateConnectorBody,
      success: {
        status: 200,
        description: 'The changed connector. Another URL or client ends its grants.',
        schema: connectorSchema,
      },
      errors: ['not_found', 'forbidden', 'url_invalid', 'url_not_allowed', 'client_id_missing', 'connector_exists'],
      handle: async ({ principal, params, body }) => {
        const { client_id, client_secret, auth, ...rest } = body
        const request = present({
          ...rest,
          clientId: client_id,
          clientSecret: client_secret,
          auth: auth === undefined ? undefined : readAuth(auth),
        })
        const connector = await findConnector(principal, params.id)
        return representOne(
          principal,
          await manageConnectors.update(principal, connector, request as UpdateConnectorRequest),
        )
      },
    }),

    defineRoute({
      method: 'delete',
      path: '/connectors/{id}',
      operationId: 'deleteConnector',
      summary: 'Delete a connector',
      scope: 'connectors:write',
      params: idParams,
      success: { status: 204, description: 'Gone; the upstream is told, best effort.' },
      errors: ['not_found', 'forbidden'],
      handle: async ({ principal, params }) => {
        await manageConnectors.delete(principal, await findConnector(principal, params.id))
        return undefined
      },
    }),

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
        return representOne(principal, connector, connected)
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
        return representOne(principal, connector, connected)
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
        return representOne(principal, connector)
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
        return representOne(principal, connector, await deps.refreshAtOnce(principal, connector))
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

function keyOf(url: string): string {
  return URL.canParse(url) ? resourceUrlKey(new URL(url)) : url
}
