import { isDeepStrictEqual } from 'node:util'
import { addMs, type Clock } from '../kernel/clock.ts'
import { newId } from '../kernel/id.ts'
import type { Principal } from '../kernel/principal.ts'
import { hashToken, randomToken, Secret } from '../kernel/secret.ts'
import type { Vault } from '../vault/vault.ts'
import type { Connection } from './connection.ts'
import { sealFor } from './connection-secrets.ts'
import type { PinnedAuthorization, Ticket, TicketStore } from './store.ts'

type Deps = {
  readonly tickets: TicketStore
  readonly vault: Vault
  readonly clock: Clock
  readonly ticketTtlMs: number
}

export type TicketRequest = {
  /** Null when the connection lost its grant by itself. */
  readonly initiator: Principal | null
  readonly redirectUrl: string | null
  readonly wantsCompletion?: boolean
  readonly authorization: PinnedAuthorization | null
}

/**
 * Makes the link that a person is given (256 random bits; the store finds it by hash), or keeps the one that already
 * leads to the same place, so that a repeated connect shows the same link.
 */
export function createMintTicket({ tickets, vault, clock, ticketTtlMs }: Deps) {
  return async (connection: Connection, request: TicketRequest): Promise<void> => {
    const now = clock.now()
    const current = (await tickets.findCurrent([connection], now)).get(connection.id)
    if (current !== undefined && leadsToSamePlace(current, request)) return
    const token = randomToken()
    const row = { id: newId(), tenantId: connection.tenantId }
    await tickets.create({
      ...row,
      connectionId: connection.id,
      ticketHash: hashToken(token),
      sealedTicket: sealFor(vault, 'ticket', row, new Secret(token)),
      grantEpoch: connection.grantEpoch,
      initiatorPrincipalId: request.initiator?.id ?? null,
      initiatorLabel: request.initiator?.label ?? '',
      requiresSession: request.initiator?.isRecognisable === true,
      redirectUrl: request.redirectUrl,
      wantsCompletion: request.wantsCompletion === true,
      authorization: request.authorization,
      expiresAt: addMs(now, ticketTtlMs),
    })
  }
}

export type MintTicket = ReturnType<typeof createMintTicket>

function leadsToSamePlace(current: Ticket, request: TicketRequest): boolean {
  return (
    current.redirectUrl === request.redirectUrl &&
    current.wantsCompletion === (request.wantsCompletion === true) &&
    current.requiresSession === (request.initiator?.isRecognisable === true) &&
    current.initiatorPrincipalId === (request.initiator?.id ?? null) &&
    isDeepStrictEqual(current.authorization, request.authorization)
  )
}
