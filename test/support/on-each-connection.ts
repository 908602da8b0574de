import { Agent, setGlobalDispatcher } from 'undici'

/**
 * From here on, each request of this process goes out on a connection of its own, so that a balancer gives each its turn.
 * `localhost` has two addresses: on a busy machine the quarter of a second that the right one is given is not enough.
 */
export function onEachConnection(): void {
  setGlobalDispatcher(new Agent({ pipelining: 0, autoSelectFamilyAttemptTimeout: 10_000 }))
}
