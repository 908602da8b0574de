import type { Clock } from '../kernel/clock.ts'
import { type Connection, isRenewable } from './connection.ts'
import { withoutGrant } from './grant-changes.ts'
import type { MintTicket } from './mint-ticket.ts'
import type { ConnectionStore } from './store.ts'

type Deps = { readonly connections: ConnectionStore; readonly mintTicket: MintTicket; readonly clock: Clock }

/**
 * Ends a grant that has run out and cannot be renewed: the connection waits for a person, and its link is ready.
 * Nothing happens while the access token still lives, or when somebody was quicker.
 */
export function createExpireAccess({ connections, mintTicket, clock }: Deps) {
  return async (connection: Connection): Promise<void> => {
    const now = clock.now()
    const { accessExpiresAt } = connection
    if (isRenewable(connection) || accessExpiresAt === null || accessExpiresAt > now) return
    const grantEpoch = connection.grantEpoch + 1
    // first, so that nobody sees a connection that waits for a person and has no link for one
    await mintTicket({ ...connection, grantEpoch }, { initiator: null, redirectUrl: null, authorization: null })
    await connections.compareAndSet(
      connection,
      {
        ...withoutGrant,
        state: 'auth_required',
        grantEpoch,
        lastError: { code: 'access_token_expired', at: now.toISOString(), retryable: false, attempts: 1 },
      },
      {
        type: 'connector.auth_required',
        code: 'access_token_expired',
        detail: 'The access token ran out and the server gave no refresh token. Somebody has to authorize again.',
      },
    )
  }
}

export type ExpireAccess = ReturnType<typeof createExpireAccess>
