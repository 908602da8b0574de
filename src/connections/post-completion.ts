import type { Connector } from '../connectors/connector.ts'
import { AppError } from '../kernel/app-error.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Principal } from '../kernel/principal.ts'
import { hashToken, type Secret } from '../kernel/secret.ts'
import type { Vault } from '../vault/vault.ts'
import type { Connection } from './connection.ts'
import { openCallback } from './connection-secrets.ts'
import type { RedeemCallback } from './redeem-callback.ts'
import type { FlowStore } from './store.ts'

type Deps = {
  readonly flows: FlowStore
  readonly redeemCallback: RedeemCallback
  readonly vault: Vault
  readonly clock: Clock
}

/**
 * The second leg of a connect with `completion`: whoever began it says that the person who came back to its
 * `redirect_url` is the one that it sent away. Until then nobody's account is attached to anything (MCP, "Phishing").
 *
 * @returns the connection, `connected`
 * @throws AppError `link_expired` for an unknown, expired or used completion, and for another's; `authorization_denied`,
 *   `authorization_failed` and others when no grant came of it
 */
export function createPostCompletion({ flows, redeemCallback, vault, clock }: Deps) {
  return async (principal: Principal, connector: Connector, completion: Secret): Promise<Connection> => {
    const flow = await flows.takeParked(hashToken(completion.reveal()), connector.id, principal.id, clock.now())
    const callback = flow === null ? undefined : openCallback(vault, flow)
    if (flow === null || callback === undefined) throw new AppError('link_expired', 'no such parked callback')
    const redemption = await redeemCallback(flow, new URLSearchParams(callback.reveal()))
    if (redemption.kind === 'gone') throw new AppError('not_found', 'connector went away before its completion')
    if (redemption.kind === 'failed') throw new AppError(redemption.failure, 'completion did not lead to a grant')
    return redemption.connection
  }
}

export type PostCompletion = ReturnType<typeof createPostCompletion>
