import type { Connector } from '../connectors/connector.ts'
import { parseResourceUrl } from '../kernel/resource-url.ts'
import type { PresetCatalog } from '../presets/match-preset.ts'
import type { AuthorizationServer } from '../upstream/authorization-server.ts'
import type { Challenge } from '../upstream/challenge.ts'
import type { Discover } from '../upstream/discover.ts'
import type { ChooseClient } from './choose-client.ts'
import { unionOfScopes } from './step-up.ts'
import type { PinnedAuthorization } from './store.ts'

type Deps = { readonly discover: Discover; readonly chooseClient: ChooseClient; readonly presets: PresetCatalog }

/**
 * Finds out where and as whom a connector is to be authorized: the server by discovery, adjusted by what the connector and
 * its preset say, and the client. A step-up asks for what was asked for before as well (MCP authorization, "Step-Up
 * Authorization Flow").
 *
 * @param requestedScopes what the connection's last authorization asked for
 *
 * @throws AppError those of discovery and of the choice of a client
 */
export function createPrepareAuthorization({ discover, chooseClient, presets }: Deps) {
  return async (
    connector: Connector,
    challenge: Challenge | null,
    requestedScopes: readonly string[] = [],
  ): Promise<PinnedAuthorization> => {
    const found = await discover({ url: parseResourceUrl(connector.url), challenge })
    const preset = connector.presetId === null ? undefined : presets.byId(connector.presetId)
    const chosen = (connector.scopes.length > 0 ? connector.scopes : preset?.scopes) ?? found.scopes
    const isStepUp = challenge?.error === 'insufficient_scope'
    const scopes = isStepUp ? unionOfScopes([...requestedScopes, ...chosen], found.scopes) : chosen
    const server: AuthorizationServer = {
      ...found,
      scopes: [...scopes],
      ...(preset?.quirks.omitResource === true ? { resource: null } : {}),
    }
    return chooseClient(connector, server)
  }
}

export type PrepareAuthorization = ReturnType<typeof createPrepareAuthorization>
