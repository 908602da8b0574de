import { createAddressPolicy } from '../../../src/egress/address-policy.ts'
import { createGuardedDispatcher } from '../../../src/egress/guarded-dispatcher.ts'
import { createGuardedFetch, type GuardedFetch } from '../../../src/egress/guarded-fetch.ts'

/** The real guarded fetch, with loopback permitted as on somebody's own machine. */
export function openLoopbackFetch(): { readonly fetch: GuardedFetch; close(): Promise<void> } {
  const policy = createAddressPolicy({ allow: [], allowLoopback: true, ports: [443] })
  const dispatcher = createGuardedDispatcher({ policy })
  return { fetch: createGuardedFetch({ policy, dispatcher }), close: () => dispatcher.destroy() }
}
