import type { Connector } from '../connectors/connector.ts'
import type { ConnectorStore } from '../connectors/store.ts'
import type { ProbeOutcome } from '../upstream/probe.ts'

/**
 * Keeps with a connector of transport `auto` what its server turned out to speak, where that is not Streamable HTTP. The
 * next calls go by it; its owner may set it back.
 */
export async function rememberTransport(
  connectors: ConnectorStore,
  connector: Connector,
  outcome: Extract<ProbeOutcome, { kind: 'ok' }>,
  actorId: string,
): Promise<void> {
  if (connector.transport !== 'auto' || outcome.transport === undefined) return
  await connectors.update(connector, { transport: outcome.transport }, { voidsCredentials: false, actorId })
}
