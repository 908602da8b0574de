import type { IncomingMessage } from 'node:http'
import ipaddr from 'ipaddr.js'

/** What one household or office has of IPv6: whoever has one address of it has all. */
const ipv6PrefixBits = 64

/**
 * Whom attempts are counted for: the address that reached the outermost of our own proxies, a network of 64 bits for IPv6.
 *
 * @param trustedProxies how many proxies of ours each request passes, all of which add to `X-Forwarded-For`; what stands there
 *   before that was written by whoever asks, and counts for nothing
 */
export function clientAddress({ headers, socket }: IncomingMessage, trustedProxies: number): string {
  const peer = socket.remoteAddress ?? ''
  const forwarded = `${headers['x-forwarded-for'] ?? ''}`.split(',').map((entry) => entry.trim())
  const added = trustedProxies === 0 ? undefined : forwarded.at(-trustedProxies)
  return networkOf(added) ?? networkOf(peer) ?? peer
}

function networkOf(text: string | undefined): string | null {
  // some proxies add the port
  const [, bare = text ?? ''] = /^\[([^\]]+)\](?::\d+)?$|^([\d.]+):\d+$/.exec(text ?? '')?.filter(Boolean) ?? []
  if (!ipaddr.isValid(bare)) return null
  const address = ipaddr.process(bare)
  if (address instanceof ipaddr.IPv4) return address.toString()
  return `${ipaddr.IPv6.networkAddressFromCIDR(`${address}/${ipv6PrefixBits}`)}/${ipv6PrefixBits}`
}
