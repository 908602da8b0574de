import ipaddr from 'ipaddr.js'
import { type IpAddress, parseIpAddress } from './address-ranges.ts'

type HostEntry = { readonly host: string; readonly port: number | null }
type RangeEntry = { readonly range: readonly [IpAddress, number]; readonly port: number | null }

/** What an operator has named as a permitted private or plain-http destination. */
export type AllowList = {
  /** True when the host is listed; an entry without a port speaks for the ports that are permitted anyway. */
  hasHost(host: string, port: number): boolean
  /** True when a listed network holds the address. */
  hasAddress(address: IpAddress, port: number): boolean
}

/**
 * Reads entries of the forms `host`, `host:port`, `10.0.0.0/8`, `10.0.0.0/8:8080`, `[::1]:80` and `[fd00::/8]:80`.
 * An entry lifts the rules on scheme and address; only an entry with a port lifts the rule on ports.
 *
 * @param ports the ports that an entry without a port speaks for
 * @throws RangeError naming the entry that cannot be read
 */
export function parseAllowList(entries: readonly string[], ports: ReadonlySet<number>): AllowList {
  const hosts: HostEntry[] = []
  const ranges: RangeEntry[] = []
  for (const entry of entries) {
    const { target, port } = splitPort(entry)
    if (target.includes('/')) ranges.push({ range: parseRange(target, entry), port })
    else hosts.push({ host: parseHost(target, entry), port })
  }
  const isPortMeant = (entry: { port: number | null }, port: number): boolean =>
    entry.port === null ? ports.has(port) : entry.port === port
  return {
    hasHost: (host, port) => hosts.some((entry) => entry.host === host && isPortMeant(entry, port)),
    hasAddress: (address, port) =>
      ranges.some(
        ({ range: [network, bits], ...entry }) =>
          network.kind() === address.kind() && address.match(network, bits) && isPortMeant(entry, port),
      ),
  }
}

function splitPort(entry: string): { target: string; port: number | null } {
  const isBareIpv6 = (entry.match(/:/g)?.length ?? 0) > 1 && !entry.startsWith('[')
  const colon = isBareIpv6 ? -1 : entry.lastIndexOf(':')
  const hasPort = colon > entry.lastIndexOf(']') && colon > 0
  const target = (hasPort ? entry.slice(0, colon) : entry).replace(/^\[(.*)\]$/, '$1')
  if (!hasPort) return { target, port: null }
  const port = Number(entry.slice(colon + 1))
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw unreadable(entry)
  return { target, port }
}

function parseRange(target: string, entry: string): readonly [IpAddress, number] {
  if (!ipaddr.isValidCIDR(target)) throw unreadable(entry)
  const [network, bits] = ipaddr.parseCIDR(target)
  return [network, bits]
}

/** The host as the URL standard writes it, so that an entry and a request's host meet whatever their spelling. */
function parseHost(target: string, entry: string): string {
  const host = target.includes(':') ? `[${target}]` : target
  if (!/^[^\s/?#@\\*]+$/.test(host) || !URL.canParse(`http://${host}/`)) throw unreadable(entry)
  return canonicalHost(new URL(`http://${host}/`).hostname)
}

/** Drops the root dot and the brackets: `Example.com.` is `example.com`, `[::1]` is `::1`, mapped IPv6 is IPv4. */
export function canonicalHost(hostname: string): string {
  const address = parseIpAddress(hostname)
  return address === null ? hostname.toLowerCase().replace(/\.+$/, '') : address.toString()
}

function unreadable(entry: string): RangeError {
  return new RangeError(`EGRESS_ALLOW: "${entry}" is none of host, host:port, CIDR, CIDR:port`)
}
