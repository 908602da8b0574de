import type { Connector } from '../connectors/connector.ts'
import { parseResourceUrl } from '../kernel/resource-url.ts'
import type { PresetCatalog } from '../presets/match-preset.ts'
import type { Preset } from '../presets/preset.ts'
import type { AuthorizationServer } from '../upstream/authorization-server.ts'
import type { Discover, DiscoverRequest } from '../upstream/discover.ts'
import { unionOfScopes } from './step-up.ts'

export type ServerRequest = Omit<DiscoverRequest, 'permits'> & {
  readonly preset: Preset | undefined
  /** What the connector wants to be asked for, in place of what is found. */
  readonly scopes?: readonly string[]
  /** What the connection's last authorization asked for. */
  readonly requestedScopes?: readonly string[]
}

export type FindServer = (request: ServerRequest) => Promise<AuthorizationServer>

/**
 * Finds a server's authorization server by discovery, as the connector and the operator's preset have it: scopes, quirks.
 * A step-up asks for what was asked for before as well (MCP authorization, "Step-Up Authorization Flow").
 *
 * @throws AppError those of discovery
 */
export function createFindServer({ discover }: { readonly discover: Discover }): FindServer {
  return async ({ preset, scopes = [], requestedScopes = [], ...request }) => {
    const found = await discover({ ...request, ...permitsOf(preset) })
    const chosen = (scopes.length > 0 ? scopes : preset?.scopes) ?? found.scopes
    const isStepUp = request.challenge?.error === 'insufficient_scope'
    return {
      ...found,
      scopes: isStepUp ? unionOfScopes([...requestedScopes, ...chosen], found.scopes) : [...chosen],
      ...(preset?.quirks.omitResource === true ? { resource: null } : {}),
    }
  }
}

/** What a connector says about its authorization server. */
export function serverRequestOf(
  connector: Connector,
  presets: PresetCatalog,
): Pick<ServerRequest, 'url' | 'preset' | 'scopes' | 'grant'> {
  return {
    url: parseResourceUrl(connector.url),
    preset: connector.presetId === null ? undefined : presets.byId(connector.presetId),
    scopes: connector.scopes,
    grant: connector.authType === 'client_credentials' ? 'client_credentials' : 'authorization_code',
  }
}

/** What only an operator may permit (MX-08, PK-01). */
function permitsOf(preset: Preset | undefined): Pick<DiscoverRequest, 'permits'> {
  if (preset === undefined) return {}
  const { issuer, quirks } = preset
  const isAliased = issuer !== undefined && quirks.issuerAlias !== undefined
  return {
    permits: {
      isPkceUnlisted: quirks.isPkceUnlisted,
      ...(isAliased ? { alias: { identifier: quirks.issuerAlias, issuer } } : {}),
    },
  }
}
