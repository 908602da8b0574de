import { z } from 'zod'
import { isAppError } from '../kernel/app-error.ts'
import type { Clock } from '../kernel/clock.ts'
import { addMs } from '../kernel/clock.ts'
import type { Principal } from '../kernel/principal.ts'
import { Secret } from '../kernel/secret.ts'
import type { SealedPlace, Vault } from '../vault/vault.ts'

/** Every state of ours begins so. An upstream's own states are never looked into. */
const prefix = 'patchbay:'
const marker = Buffer.from(`"${prefix}`)
const ttlMs = 30 * 60_000

const stateSchema = z.object({
  principalId: z.string(),
  /** Of the grant that was not enough; null when there was none. */
  grantEpoch: z.number().nullable(),
  expiresAt: z.number(),
})

export type RequestState = Pick<z.output<typeof stateSchema>, 'grantEpoch'>
export type RequestStates = ReturnType<typeof createRequestStates>

/**
 * What goes with a question to a client of MCP 2026-07-28 and comes back with its answer: sealed, for one principal at one
 * connector, for half an hour.
 */
export function createRequestStates({ vault, clock }: { readonly vault: Vault; readonly clock: Clock }) {
  const placeOf = (principal: Principal, connectorId: string): SealedPlace => ({
    table: 'mcp',
    column: 'request_state',
    rowId: connectorId,
    tenantId: principal.tenantId,
  })
  return {
    seal(principal: Principal, connectorId: string, { grantEpoch }: RequestState): string {
      const expiresAt = addMs(clock.now(), ttlMs).getTime()
      const state = JSON.stringify({ principalId: principal.id, grantEpoch, expiresAt })
      return prefix + vault.seal(new Secret(state), placeOf(principal, connectorId))
    },

    /** Null when it was altered, is another's, or too old. */
    open(principal: Principal, connectorId: string, sealed: string): RequestState | null {
      if (!sealed.startsWith(prefix)) return null
      try {
        const opened = vault.open(sealed.slice(prefix.length), placeOf(principal, connectorId)).reveal()
        const state = stateSchema.parse(JSON.parse(opened))
        const isGood = state.principalId === principal.id && state.expiresAt > clock.now().getTime()
        return isGood ? { grantEpoch: state.grantEpoch } : null
      } catch (error) {
        if (isAppError(error, 'internal')) return null
        throw error
      }
    },
  }
}

/** True when a body may hold a state of ours: a cheap look before anything is parsed. */
export function mayHoldState(body: Buffer): boolean {
  return body.includes(marker)
}
