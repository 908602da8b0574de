import type { Connector } from '../connectors/connector.ts'
import type { Clock } from '../kernel/clock.ts'
import { hashToken, randomToken, Secret } from '../kernel/secret.ts'
import type { Vault } from '../vault/vault.ts'
import { sealFor } from './connection-secrets.ts'
import type { FlowFailure, RedeemCallback } from './redeem-callback.ts'
import type { ConnectionStore, Flow, FlowStore } from './store.ts'

export type CallbackResult =
  | { readonly kind: 'connected'; readonly connector: Connector; readonly redirectUrl: string | null }
  /** The code waits for the initiator to post `completion`. */
  | { readonly kind: 'parked'; readonly redirectUrl: string; readonly completion: Secret }
  | { readonly kind: 'failed'; readonly failure: FlowFailure; readonly redirectUrl: string | null }
  /** Unknown, expired, used or another browser's: nobody learns which. */
  | { readonly kind: 'unknown' }

/** An attempt that came back, and what it is to connect. */
export type Returned = { readonly tenantId: string; readonly connectorId: string }

export type Callback = {
  /** The query of the callback, as received. */
  readonly parameters: URLSearchParams
  /** What the browser's cookie holds. */
  readonly browserToken: string | null
  /** Told of an attempt before anything comes of it; does `perform`. */
  readonly record: (returned: Returned, perform: () => Promise<CallbackResult>) => Promise<CallbackResult>
}

type Deps = {
  readonly flows: FlowStore
  readonly connections: Pick<ConnectionStore, 'find'>
  readonly redeemCallback: RedeemCallback
  readonly vault: Vault
  readonly clock: Clock
}

const maxCodeLength = 4096
const maxStateLength = 256

/**
 * Ends an authorization attempt (RFC 6749 section 4.1.2): uses the state up, once, for the browser that began it, and makes
 * a grant of the code; or parks it, where the initiator asked for a completion of its own.
 */
export function createReceiveCallback({ flows, connections, redeemCallback, vault, clock }: Deps) {
  return async ({ parameters, browserToken, record }: Callback): Promise<CallbackResult> => {
    const state = soleParameter(parameters, 'state', maxStateLength)
    if (state === null || browserToken === null || !isWellFormed(parameters)) return { kind: 'unknown' }
    const flow = await flows.consume(hashToken(state), hashToken(browserToken), clock.now())
    const connection = flow === null ? null : await connections.find(flow.tenantId, flow.connectionId)
    if (flow === null || connection === null) return { kind: 'unknown' }
    return record(connection, () => finish(flow, parameters))
  }

  async function finish(flow: Flow, parameters: URLSearchParams): Promise<CallbackResult> {
    const { redirectUrl } = flow
    if (flow.wantsCompletion && redirectUrl !== null && parameters.has('code')) {
      const completion = new Secret(randomToken())
      const callback = new Secret(parameters.toString())
      await flows.park(flow, hashToken(completion.reveal()), sealFor(vault, 'callback', flow, callback))
      return { kind: 'parked', redirectUrl, completion }
    }
    const redemption = await redeemCallback(flow, parameters)
    return redemption.kind === 'gone' ? { kind: 'unknown' } : { ...redemption, redirectUrl }
  }
}

export type ReceiveCallback = ReturnType<typeof createReceiveCallback>

/** The value of a parameter that occurs exactly once, is not empty and not too long; null otherwise. */
function soleParameter(parameters: URLSearchParams, name: string, maxLength: number): string | null {
  const values = parameters.getAll(name)
  const [value] = values
  return values.length === 1 && value !== undefined && value !== '' && value.length <= maxLength ? value : null
}

/** Either a code or an error, each at most once and of a sane size and form. */
function isWellFormed(parameters: URLSearchParams): boolean {
  const hasCode = parameters.has('code')
  if (hasCode === parameters.has('error')) return false
  if (['code', 'error', 'iss', 'state'].some((name) => parameters.getAll(name).length > 1)) return false
  const code = soleParameter(parameters, 'code', maxCodeLength)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return !hasCode || (code !== null && !/[\u0000-\u001f\u007f]/.test(code))
}
