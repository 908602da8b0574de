import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

export type IpAddress = ipaddr.IPv4 | ipaddr.IPv6

/** The only part of the IPv6 space that is handed out (RFC 4291 section 2.4); `::7f00:1` and its like lie outside. */
const globalUnicastIpv6 = ipaddr.IPv6.parseCIDR('2000::/3')

/**
 * Reads a literal address; IPv4-mapped IPv6 becomes the IPv4 address that it reaches.
 *
 * Only the canonical notations count: `0177.0.0.1` and its like are a matter for the URL parser, which resolves
 * them before anything comes here. Returns null for anything else, zone ids included.
 */
export function parseIpAddress(text: string): IpAddress | null {
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text
  if (isIP(bare) === 0 || bare.includes('%')) return null
  return ipaddr.process(bare)
}

/** True for addresses that anybody on the internet may have: none of the special-purpose registries (RFC 6890). */
export function isPublicAddress(address: IpAddress): boolean {
  if (address.range() !== 'unicast') return false
  return address instanceof ipaddr.IPv4 || address.match(globalUnicastIpv6)
}

/** 127.0.0.0/8 and ::1, IPv4-mapped forms included. */
export function isLoopbackAddress(address: IpAddress): boolean {
  return address.range() === 'loopback'
}
