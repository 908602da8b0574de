import { Agent, setGlobalDispatcher } from 'undici'

/** From here on, each request of this process goes out on a connection of its own, so that a balancer gives each its turn. */
export function onEachConnection(): void {
  setGlobalDispatcher(new Agent({ pipelining: 0 }))
}
