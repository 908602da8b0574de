import type { MintConnectToken } from '../../authorization-server/connect-token.ts'
import { hostProfiles, installName } from '../../authorization-server/host-profiles.ts'
import type { ManageGrants } from '../../authorization-server/manage-grants.ts'
import { connectorName } from '../../connectors/connector.ts'
import type { ConnectorStore } from '../../connectors/store.ts'
import { createFindConnector } from '../../connectors/visibility.ts'
import { isLoopbackOrigin } from '../../kernel/resource-url.ts'
import type { PresetCatalog } from '../../presets/match-preset.ts'
import { connectTokenBody, connectTokenSchema, grantSchema, installSchema, listGrantsQuery } from '../host-schemas.ts'
import { representGrant, representList } from '../representations.ts'
import { defineRoute, type Route } from '../route.ts'
import { idParams, listSchema } from '../schemas.ts'

type Deps = {
  readonly mintConnectToken: MintConnectToken
  readonly manageGrants: ManageGrants
  readonly connectors: ConnectorStore
  readonly presets: PresetCatalog
  readonly publicUrl: URL
}

/** What the hosts of people need of the REST API. */
export function createHostRoutes({ mintConnectToken, manageGrants, connectors, presets, publicUrl }: Deps): Route[] {
  const findConnector = createFindConnector({ connectors })
  return [
    defineRoute({
      method: 'post',
      path: '/connectors/{id}/connect-tokens',
      operationId: 'createConnectToken',
      summary: 'Make a token with which a person says on the consent page who they are',
      scope: 'connectors:write',
      params: idParams,
      body: connectTokenBody,
      success: { status: 201, description: 'The token; it is shown this once.', schema: connectTokenSchema },
      errors: ['not_found', 'subject_required'],
      handle: async ({ principal, params, body }) => {
        const { token, person, expiresAt } = await mintConnectToken(principal, params.id, {
          ttlSeconds: body.ttl_seconds,
          ...(body.subject === undefined ? {} : { subject: body.subject }),
          ...(body.kind === undefined ? {} : { kind: body.kind }),
        })
        return {
          connect_token: token.reveal(),
          subject: person.subject,
          kind: person.kind,
          expires_at: expiresAt.toISOString(),
        }
      },
    }),

    defineRoute({
      method: 'get',
      path: '/connectors/{id}/install',
      operationId: 'getInstallation',
      summary: 'How to take a connector into the hosts that people use: links, commands, settings',
      scope: 'connectors:read',
      params: idParams,
      success: { status: 200, description: 'Ready to use, with the URL filled in.', schema: installSchema },
      errors: ['not_found'],
      handle: async ({ principal, params }) => {
        const connector = await findConnector(principal, params.id)
        const preset = connector.presetId === null ? undefined : presets.byId(connector.presetId)
        const title = connectorName(connector, preset?.metadata.name)
        const url = new URL(`/connectors/${connector.id}/mcp`, publicUrl)
        const target = { name: installName(title), url }
        const hosts = hostProfiles.map(({ id, title, isLocal, install }) => ({
          id,
          title,
          reachable: isLocal || !isLoopbackOrigin(publicUrl),
          ways: install(target).map(({ kind, value }) => ({ kind, value })),
        }))
        return { mcp_url: url.href, hosts }
      },
    }),

    defineRoute({
      method: 'get',
      path: '/grants',
      operationId: 'listGrants',
      summary: 'What was given to apps: your own, or for managers all of the organisation',
      scope: 'connectors:read',
      query: listGrantsQuery,
      success: { status: 200, description: 'Living grants, newest first.', schema: listSchema(grantSchema) },
      errors: [],
      handle: async ({ principal, query }) => {
        const page = await manageGrants.list(principal, { limit: query.limit, before: query.page_token })
        return representList(page.items.map(representGrant), page.totalCount, page.hasMore)
      },
    }),

    defineRoute({
      method: 'delete',
      path: '/grants/{id}',
      operationId: 'revokeGrant',
      summary: 'Take back what was given to an app',
      scope: 'connectors:write',
      params: idParams,
      success: { status: 204, description: 'Its tokens are good for nothing any more; open streams end.' },
      errors: ['not_found'],
      handle: async ({ principal, params }) => {
        await manageGrants.revoke(principal, params.id)
        return undefined
      },
    }),
  ]
}
