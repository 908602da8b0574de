import type { Connector } from '../connectors/connector.ts'
import type { PresetCatalog } from '../presets/match-preset.ts'
import type { Challenge } from '../upstream/challenge.ts'
import type { ChooseClient } from './choose-client.ts'
import { type FindServer, serverRequestOf } from './find-server.ts'
import type { PinnedAuthorization } from './store.ts'

type Deps = { readonly findServer: FindServer; readonly chooseClient: ChooseClient; readonly presets: PresetCatalog }

/**
 * Finds out where and as whom a connector is to be authorized: the server, and the client.
 *
 * @param requestedScopes what the connection's last authorization asked for
 *
 * @throws AppError those of discovery and of the choice of a client
 */
export function createPrepareAuthorization({ findServer, chooseClient, presets }: Deps) {
  return async (
    connector: Connector,
    challenge: Challenge | null,
    requestedScopes: readonly string[] = [],
  ): Promise<PinnedAuthorization> => {
    const server = await findServer({ ...serverRequestOf(connector, presets), challenge, requestedScopes })
    return chooseClient(connector, server)
  }
}

export type PrepareAuthorization = ReturnType<typeof createPrepareAuthorization>
