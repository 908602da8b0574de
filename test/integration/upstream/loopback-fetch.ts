import { createAddressPolicy } from '../../../src/egress/address-policy.ts'
import { createGuardedDispatcher } from '../../../src/egress/guarded-dispatcher.ts'
import { createGuardedFetch, type GuardedFetch } from '../../../src/egress/guarded-fetch.ts'
import { createGuardedPost, type GuardedPost } from '../../../src/egress/guarded-post.ts'
import { createOpenWebSocket } from '../../../src/egress/open-websocket.ts'
import { createLegacyTransports, type OpenLegacyTransport } from '../../../src/upstream/legacy-transport.ts'

/** The real guarded ways out, with loopback permitted as on somebody's own machine. */
export function openLoopbackFetch(): {
  readonly fetch: GuardedFetch
  readonly post: GuardedPost
  readonly openTransport: OpenLegacyTransport
  close(): Promise<void>
} {
  const policy = createAddressPolicy({ allow: [], allowLoopback: true, ports: [443] })
  const dispatcher = createGuardedDispatcher({ policy })
  const fetch = createGuardedFetch({ policy, dispatcher })
  const openWebSocket = createOpenWebSocket({ policy, dispatcher })
  return {
    fetch,
    post: createGuardedPost({ policy, dispatcher }),
    openTransport: createLegacyTransports({ fetch, openWebSocket }),
    close: () => dispatcher.destroy(),
  }
}
