import type { NewEvent } from '../audit/event.ts'
import type { PrincipalKind } from '../kernel/principal.ts'
import type { AuthorizationServer } from '../upstream/authorization-server.ts'
import type { Client } from '../upstream/client.ts'
import type { ClientSource, Connection, ConnectionScope } from './connection.ts'

export type ConnectionChanges = Partial<
  Omit<Connection, 'id' | 'tenantId' | 'connectorId' | 'scope' | 'subjectId' | 'updatedAt'>
>

/** Where connections are kept. PostgreSQL is the only authority on who holds a grant and who may renew it. */
export type ConnectionStore = {
  find(tenantId: string, id: string): Promise<Connection | null>
  /** The one that the principal's calls use: its own, then the tenant's. */
  resolve(
    tenantId: string,
    connectorId: string,
    who: { kind: PrincipalKind; subject: string },
  ): Promise<Connection | null>
  /** The same for many connectors at once, by connector id. */
  resolveMany(
    tenantId: string,
    connectorIds: readonly string[],
    who: { kind: PrincipalKind; subject: string },
  ): Promise<Map<string, Connection>>
  /** The connection of that scope and subject, and no other. */
  findOf(tenantId: string, connectorId: string, scope: ConnectionScope, subjectId: string): Promise<Connection | null>
  listOfConnector(tenantId: string, connectorId: string): Promise<Connection[]>
  /** The connection of that scope and subject, made (state `created`) when missing. */
  ensure(tenantId: string, connectorId: string, scope: ConnectionScope, subjectId: string): Promise<Connection>
  /**
   * Writes `changes` and the event in one statement, if epoch and version are still those of `seen`.
   *
   * @returns the new connection; null when somebody else was first: read again and decide again
   */
  compareAndSet(seen: Connection, changes: ConnectionChanges, event?: NewEvent): Promise<Connection | null>
}

/** What an authorization attempt is pinned to: the server and the client, as found before the person left. */
export type PinnedAuthorization = {
  readonly server: AuthorizationServer
  readonly client: Pick<Client, 'clientId' | 'tokenEndpointAuthMethod'>
  readonly clientSource: ClientSource
  readonly registrationId: string | null
}

/** The link a person is given. */
export type Ticket = {
  readonly id: string
  readonly tenantId: string
  readonly connectionId: string
  readonly sealedTicket: string
  readonly grantEpoch: number
  readonly initiatorPrincipalId: string | null
  readonly initiatorLabel: string
  /** Begun by a person whom we can recognise: only a session of theirs may go on from it. */
  readonly requiresSession: boolean
  readonly redirectUrl: string | null
  /** Whether the callback only parks the code, until the initiator posts the completion. */
  readonly wantsCompletion: boolean
  /** Null: looked up when the person continues. */
  readonly authorization: PinnedAuthorization | null
  readonly expiresAt: Date
}

export type NewTicket = Ticket & { readonly ticketHash: string }

export type TicketStore = {
  /** Adds a ticket, in the place of all others of its connection that lead to the same place. */
  create(ticket: NewTicket): Promise<void>
  /** The live ticket (`expiresAt` after `now`) with that hash, whatever its tenant: the hash is of 256 random bits. */
  findByHash(ticketHash: string, now: Date): Promise<Ticket | null>
  /** The newest live ticket of each connection at its current epoch, by connection id. */
  findCurrent(connections: readonly Connection[], now: Date): Promise<Map<string, Ticket>>
  /** Lets the links of a connection find the authorization server and the client anew when somebody presses Continue. */
  unpin(connection: Pick<Connection, 'id' | 'tenantId'>): Promise<void>
}

/** One authorization attempt. */
export type Flow = {
  readonly id: string
  readonly tenantId: string
  readonly connectionId: string
  readonly sealedVerifier: string
  readonly grantEpoch: number
  readonly authorization: PinnedAuthorization
  readonly redirectUrl: string | null
  readonly wantsCompletion: boolean
  readonly initiatorPrincipalId: string | null
  /** The parked callback; null unless it waits for its completion. */
  readonly sealedCallback: string | null
  readonly expiresAt: Date
}

export type NewFlow = Omit<Flow, 'sealedCallback'> & {
  readonly ticketId: string
  readonly stateHash: string
  readonly browserHash: string
}

export type FlowStore = {
  create(flow: NewFlow): Promise<void>
  /** Uses the flow up, once, for the browser that began it. Null for an unknown, expired, used or foreign one. */
  consume(stateHash: string, browserHash: string, now: Date): Promise<Flow | null>
  /** Keeps the callback of a used flow until its completion comes, which is found by hash. */
  park(flow: Flow, completionHash: string, sealedCallback: string): Promise<void>
  /**
   * Takes a parked callback, once, for the principal that began it and the connector that it asks about. Null for an
   * unknown, expired, taken or foreign one.
   */
  takeParked(completionHash: string, connectorId: string, principalId: string, now: Date): Promise<Flow | null>
}

/** A client that we registered dynamically at an authorization server. */
export type Registration = {
  readonly id: string
  readonly tenantId: string
  readonly issuer: string
  readonly redirectUri: string
  readonly clientId: string
  readonly sealedClientSecret: string | null
  readonly tokenEndpointAuthMethod: Client['tokenEndpointAuthMethod']
  readonly expiresAt: Date | null
}

export type RegistrationStore = {
  find(tenantId: string, issuer: string, redirectUri: string): Promise<Registration | null>
  findById(tenantId: string, id: string): Promise<Registration | null>
  /**
   * Adds it. One of the same tenant, issuer and redirect URI that has expired is replaced; one that lives stays, since links
   * were made with it: of two that registered at once, both get the first.
   */
  save(registration: Registration, now: Date): Promise<Registration>
  delete(tenantId: string, id: string): Promise<void>
}
