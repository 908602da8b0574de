import type { Connect } from '../connections/connect.ts'
import { hasUsableGrant } from '../connections/connection.ts'
import type { FindConnectUrl } from '../connections/find-connect-url.ts'
import type { ReadTicket } from '../connections/read-ticket.ts'
import type { StartFlow } from '../connections/start-flow.ts'
import type { ConnectionStore } from '../connections/store.ts'
import type { Connector } from '../connectors/connector.ts'
import { isManageable } from '../connectors/visibility.ts'
import type { Principal } from '../kernel/principal.ts'

export type ConsentConnectionDeps = {
  readonly connections: Pick<ConnectionStore, 'resolve'>
  readonly connect: Connect
  readonly findConnectUrl: FindConnectUrl
  readonly readTicket: ReadTicket
  readonly startFlow: StartFlow
}

/** The upstream's side of a consent: whether the connector works for the person, and if not, connecting it first. */
export function createConsentConnection(deps: ConsentConnectionDeps) {
  return {
    /** `ready`: calls can be relayed; `connect`: this person can connect it; `ask`: somebody else must. */
    async stateFor(principal: Principal, connector: Connector): Promise<'ready' | 'connect' | 'ask'> {
      const connection = await deps.connections.resolve(connector.tenantId, connector.id, principal)
      if (connection !== null && hasUsableGrant(connection)) return 'ready'
      return connector.credentialScope === 'user' || isManageable(principal, connector) ? 'connect' : 'ask'
    },

    /**
     * Connects, as far as that goes without the person. They were just recognised and pressed the button, so the link's own
     * question is left out.
     *
     * @param returnTo where the browser comes back to, of our own origin
     * @param browserToken gives the token that ties the attempt to the browser
     * @returns the upstream's authorization page; null when nothing more is needed
     * @throws AppError those of connect
     */
    async begin(
      principal: Principal,
      connector: Connector,
      returnTo: string,
      browserToken: () => string,
    ): Promise<URL | null> {
      const connection = await deps.connect(principal, connector, { redirectUrl: returnTo })
      const link = await deps.findConnectUrl(principal, connector, connection)
      const ticket = link === null ? null : await deps.readTicket(new URL(link).pathname.split('/').at(-1) ?? '')
      return ticket === null ? null : deps.startFlow(ticket, browserToken())
    },
  }
}

export type ConsentConnection = ReturnType<typeof createConsentConnection>
