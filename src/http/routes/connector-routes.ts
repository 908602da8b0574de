import type { ManageConnectors } from '../../connections/manage-connectors.ts'
import type { CreateConnectorRequest, createCreateConnector } from '../../connectors/create-connector.ts'
import type { ConnectorStore } from '../../connectors/store.ts'
import type { UpdateConnectorRequest } from '../../connectors/update-connector.ts'
import { createFindConnector } from '../../connectors/visibility.ts'
import { resourceUrlKey } from '../../kernel/resource-url.ts'
import type { PresetCatalog } from '../../presets/match-preset.ts'
import { readAuth } from '../connector-auth.ts'
import { present } from '../fields.ts'
import type { RepresentConnectors } from '../represent-connectors.ts'
import { representList, representPreset } from '../representations.ts'
import { defineRoute, type Route } from '../route.ts'
import {
  connectorSchema,
  createConnectorBody,
  idParams,
  listConnectorsQuery,
  listSchema,
  presetSchema,
  updateConnectorBody,
} from '../schemas.ts'

type Deps = {
  readonly connectors: ConnectorStore
  readonly presets: PresetCatalog
  readonly createConnector: ReturnType<typeof createCreateConnector>
  readonly manageConnectors: ManageConnectors
  readonly represent: RepresentConnectors
}

/** The connectors API: what clients of Agent Stack call, and our additions. What is done with a connection: `connection-routes.ts`. */
export function createConnectorRoutes(deps: Deps): Route[] {
  const { connectors, presets, manageConnectors, represent } = deps
  const findConnector = createFindConnector(deps)

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
        return represent.one(principal, await deps.createConnector(principal, request as CreateConnectorRequest))
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
        return representList(await represent.all(principal, page.items), page.totalCount, page.hasMore)
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
      handle: async ({ principal, params }) => represent.one(principal, await findConnector(principal, params.id)),
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
        return represent.one(
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
  ]
}

function keyOf(url: string): string {
  return URL.canParse(url) ? resourceUrlKey(new URL(url)) : url
}
