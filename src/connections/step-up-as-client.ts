import type { Connector } from '../connectors/connector.ts'
import { AppError, type ErrorCode, isAppError } from '../kernel/app-error.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Principal } from '../kernel/principal.ts'
import type { Challenge } from '../upstream/challenge.ts'
import type { ConnectAsClient } from './connect-as-client.ts'
import type { Connection } from './connection.ts'
import { stepUp } from './step-up.ts'
import type { ConnectionStore } from './store.ts'

type Deps = {
  readonly connections: ConnectionStore
  readonly connectAsClient: ConnectAsClient
  readonly clock: Clock
}

/** What a client that acts for itself was refused. */
type Refused = { readonly connection: Connection; readonly challenge: Challenge }

const passing: readonly ErrorCode[] = ['upstream_unreachable', 'upstream_timeout', 'upstream_error', 'egress_blocked']

/**
 * What to do when the token of a client that acts for itself lacks a scope (MCP authorization, "Step-Up Authorization
 * Flow"): there is no person to ask, so the client asks for all that it had and what is missing. It is counted as with
 * people: at the third refusal for the same scopes it asks no more. The old grant stays until a new one works.
 *
 * @throws AppError `upstream_unreachable` when the authorization server could not be asked; that counts for nothing
 */
export function createStepUpAsClient({ connections, connectAsClient, clock }: Deps) {
  return async (principal: Principal, connector: Connector, { connection, challenge }: Refused): Promise<void> => {
    const { changes, event, isHopeless } = stepUp(connection, challenge, clock.now())
    if (isHopeless) {
      await connections.compareAndSet(connection, changes, event)
      return
    }
    const stepUps = changes.stepUps ?? null
    try {
      const { requestedScopes } = connection
      await connectAsClient(principal, connector, {
        challenge,
        requestedScopes,
        stepUps,
        ensure: async () => connection,
      })
    } catch (error) {
      if (!isAppError(error)) throw error
      if (passing.includes(error.code)) {
        throw new AppError('upstream_unreachable', 'no answer about more scopes', { cause: error })
      }
      await connections.compareAndSet(connection, { stepUps })
    }
  }
}

export type StepUpAsClient = ReturnType<typeof createStepUpAsClient>
