import type { Principal } from '../kernel/principal.ts'
import type { Connector, ConnectorAuth } from './connector.ts'

export type NewConnector = Omit<Connector, 'createdAt' | 'updatedAt'>

export type ConnectorChanges = Partial<
  Pick<
    Connector,
    'url' | 'urlKey' | 'label' | 'transport' | 'metadata' | 'presetId' | 'enabled' | 'scopes' | keyof ConnectorAuth
  >
>

export type ConnectorQuery = {
  readonly limit: number
  readonly order: 'asc' | 'desc'
  /** The id after which the page begins. */
  readonly after?: string
  readonly state?: string
  readonly urlKey?: string
  readonly presetId?: string
  /** Text in the URL, the label or the metadata's values; every character stands for itself. */
  readonly text?: string
}

export type ConnectorPage = { readonly items: Connector[]; readonly totalCount: number; readonly hasMore: boolean }

/** Where connectors are kept. Every method is scoped by the tenant. */
export type ConnectorStore = {
  /** Adds a connector and its `connector.created` event; null when the owner has that URL and label already. */
  create(connector: NewConnector): Promise<Connector | null>
  find(tenantId: string, id: string): Promise<Connector | null>
  /** For requests that name a connector before anybody has said who they are; tells nothing else. */
  tenantOf(id: string): Promise<string | null>
  /** The principal's own connectors and the tenant's, with the state that the principal sees. */
  list(principal: Principal, query: ConnectorQuery): Promise<ConnectorPage>
  /**
   * Null when it is gone; `exists` when the change collides with another connector of the owner. With `voidsCredentials`
   * the grants, flows and links of all its connections go in the same transaction.
   */
  update(
    connector: Connector,
    changes: ConnectorChanges,
    options: { readonly voidsCredentials: boolean; readonly actorId: string },
  ): Promise<Connector | 'exists' | null>
  /**
   * Records the authorization server that the connector's client is from, unless one is recorded.
   *
   * @returns the one that is recorded; null when the connector has another client by now
   */
  pinClientIssuer(connector: Connector, issuer: string): Promise<string | null>
  /** False when it was gone already. Connections, tickets and flows go with it. */
  delete(tenantId: string, id: string, actorId: string): Promise<boolean>
}
