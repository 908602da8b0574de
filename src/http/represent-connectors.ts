import type { Connection } from '../connections/connection.ts'
import type { ViewConnectors } from '../connections/view-connectors.ts'
import type { Connector } from '../connectors/connector.ts'
import type { Principal } from '../kernel/principal.ts'
import { representConnector } from './representations.ts'

type Deps = { readonly viewConnectors: ViewConnectors; readonly publicUrl: URL }

/** Connectors as their API shows them to one principal, with what is known of their connections. */
export function createRepresentConnectors({ viewConnectors, publicUrl }: Deps) {
  return {
    all: async (principal: Principal, items: readonly Connector[]) =>
      (await viewConnectors(principal, items)).map((view) => representConnector(view, publicUrl)),

    /** @param shown what is known of the connection by who asks, later than what is stored */
    one: async (principal: Principal, connector: Connector, shown?: Connection) => {
      const [view] = await viewConnectors(principal, [connector], shown)
      if (view === undefined) throw new Error('a view for each connector')
      return representConnector(view, publicUrl)
    },
  }
}

export type RepresentConnectors = ReturnType<typeof createRepresentConnectors>
