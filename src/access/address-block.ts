import ipaddr from 'ipaddr.js'

/**
 * What counts as one address where attempts are counted: an IPv4 address, or the /64 of an IPv6 address, which is what one
 * customer gets at least (RFC 6177). Text that is no address stands for itself.
 */
export function addressBlock(address: string): string {
  if (!ipaddr.IPv6.isValid(address)) return address
  const { parts } = ipaddr.IPv6.parse(address)
  return `${parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':')}::/64`
}
