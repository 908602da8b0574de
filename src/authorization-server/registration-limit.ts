import { BlockList, isIP, isIPv6 } from 'node:net'
import type { Clock } from '../kernel/clock.ts'
import { hashToken } from '../kernel/secret.ts'
import type { RateCounter } from './store.ts'

const minuteMs = 60_000
/** How many times as much the hosts of many people may do together that come from few addresses. */
const sharedFactor = 30

type Deps = {
  readonly rates: RateCounter
  readonly clock: Clock
  /** For each address. */
  readonly maxPerMinute: number
  /** Networks from which the hosts of many people come, such as `160.79.104.0/21`. */
  readonly sharedNetworks: readonly string[]
}

/** @returns after how many seconds it may be tried again; null when it may be done now */
export type LimitRegistrations = (what: 'register' | 'manage', address: string) => Promise<number | null>

/** Bounds what one address may do with registrations a minute; each network that many people share has a bucket of its own. */
export function createRegistrationLimit({ rates, clock, maxPerMinute, sharedNetworks }: Deps): LimitRegistrations {
  const networks = sharedNetworks.map((cidr) => ({ cidr, list: blockListOf(cidr) }))
  return async (what, address) => {
    const [host = ''] = address.split('/')
    const family = isIPv6(host) ? 'ipv6' : 'ipv4'
    const shared = isIP(host) === 0 ? undefined : networks.find(({ list }) => list.check(host, family))
    const max = shared === undefined ? maxPerMinute : maxPerMinute * sharedFactor
    const count = await rates.hit(`${what}:${hashToken(shared?.cidr ?? address)}`, minuteMs, clock.now())
    return count > max ? minuteMs / 1000 : null
  }
}

function blockListOf(cidr: string): BlockList {
  const [network = '', bits = ''] = cidr.split('/')
  const list = new BlockList()
  list.addSubnet(network, Number(bits), isIPv6(network) ? 'ipv6' : 'ipv4')
  return list
}
