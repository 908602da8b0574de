import { type Connector, connectorName } from '../connectors/connector.ts'
import type { Principal } from '../kernel/principal.ts'
import type { PresetCatalog } from '../presets/match-preset.ts'
import type { Connection } from './connection.ts'
import { disconnectReasons } from './disconnect-reason.ts'
import type { FindConnectUrl } from './find-connect-url.ts'
import { mayConnect } from './whose-connection.ts'

/** What a call lacks: any grant at all, a scope that a person may be able to give, one that nobody gets. */
export type Lack = 'grant' | 'scope' | 'scope_for_good'

/** Why a call cannot be relayed, and what a person can do about it. */
export type NeedsConnection = {
  readonly kind: 'needs_connection'
  readonly lacks: Lack
  readonly connectorName: string
  /** Null for those who may not connect it, and where connecting would be of no use. */
  readonly connectUrl: string | null
  /** True for those who may connect it by calling, so that a link can be made where there is none. */
  readonly isConnectable: boolean
  /** Of the grant that is missing or not enough; null when there was never a connection. */
  readonly grantEpoch: number | null
  readonly reason: string
}

type Deps = { readonly presets: PresetCatalog; readonly findConnectUrl: FindConnectUrl }

/** Describes for a principal what a connection needs before a call can be relayed. */
export function createDescribeNeed({ presets, findConnectUrl }: Deps) {
  return async (
    principal: Principal,
    connector: Connector,
    connection: Connection | null,
    lacks: Lack = 'grant',
  ): Promise<NeedsConnection> => {
    const preset = connector.presetId === null ? undefined : presets.byId(connector.presetId)
    return {
      kind: 'needs_connection',
      lacks,
      connectorName: connectorName(connector, preset?.metadata.name),
      connectUrl: connection === null ? null : await findConnectUrl(principal, connector, connection),
      isConnectable:
        lacks !== 'scope_for_good' && mayConnect(principal, connector) && !endedForGood(connector, connection),
      grantEpoch: connection?.grantEpoch ?? null,
      reason: reasonFor(connection, lacks),
    }
  }
}

export type DescribeNeed = ReturnType<typeof createDescribeNeed>

/**
 * What ended although it needs no person is not begun again by a call: whoever ended it meant it, and a credential that was
 * refused is for its owner to replace.
 */
function endedForGood({ authType }: Connector, connection: Connection | null): boolean {
  return connection?.state === 'disconnected' && authType !== 'auto' && authType !== 'oauth2'
}

function reasonFor(connection: Connection | null, lacks: Lack): string {
  if (connection === null || connection.state === 'created') return 'It was never connected.'
  if (connection.state === 'disconnected') {
    return connection.disconnectCode === null ? 'It was disconnected.' : disconnectReasons[connection.disconnectCode]
  }
  if (lacks === 'scope') return 'This call needs permissions that were not asked for yet.'
  if (lacks === 'scope_for_good') return disconnectReasons.insufficient_scope
  return connection.lastError?.code === 'authorization_server_changed'
    ? disconnectReasons.authorization_server_changed
    : 'Somebody has to authorize it.'
}
