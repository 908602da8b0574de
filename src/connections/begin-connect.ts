import type { ConnectorStore } from '../connectors/store.ts'
import { createFindConnector } from '../connectors/visibility.ts'
import type { Principal } from '../kernel/principal.ts'
import type { Connect } from './connect.ts'
import type { Resolution, ResolveUpstream } from './resolve-upstream.ts'

type Deps = {
  readonly connectors: ConnectorStore
  readonly connect: Connect
  readonly resolveUpstream: ResolveUpstream
}

/**
 * Connects for a caller of the MCP endpoint who met a connector without a grant: as `POST /connectors/{id}/connect` without
 * a body would.
 *
 * @returns `usable` when nobody had to be asked; else the need, now with a link
 * @throws AppError those of `connect`
 */
export function createBeginConnect(deps: Deps) {
  const findConnector = createFindConnector(deps)
  return async (principal: Principal, connectorId: string): Promise<Resolution> => {
    await deps.connect(principal, await findConnector(principal, connectorId), {})
    return deps.resolveUpstream(principal, connectorId)
  }
}
