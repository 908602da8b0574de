import { AppError } from '../kernel/app-error.ts'
import { isLoopbackAddress, isPublicAddress, parseIpAddress } from './address-ranges.ts'
import { canonicalHost, parseAllowList } from './allow-list.ts'

/** Where requests may go. Judges names and addresses; touches no network. */
export type AddressPolicy = {
  /**
   * Judges a URL before anything is resolved: scheme, port, user name, host name, literal address.
   *
   * @throws AppError `url_not_allowed`, with `meta.reason`
   */
  checkUrl(url: URL): void
  /** Judges one address that a host name resolved to, or that a socket is connected to. */
  isAddressAllowed(address: string, destination: Destination): boolean
}

export type Destination = { readonly hostname: string; readonly port: number }

export type AddressPolicyOptions = {
  /** `host`, `host:port`, CIDR or `CIDR:port`: destinations that may be private, internal or plain http. */
  readonly allow: readonly string[]
  /** Loopback over http and https on any port; for a Patchbay that runs on somebody's own machine. */
  readonly allowLoopback: boolean
  /** Ports of every destination that is not listed with a port of its own. */
  readonly ports: readonly number[]
  /** URLs of our own parts (`PUBLIC_URL`, database, Redis): refused unless listed in `allow`. */
  readonly ownOrigins?: readonly string[]
}

type RefusalReason = 'scheme' | 'port' | 'userinfo' | 'private_address' | 'internal_name' | 'own_address'

const publicDetails: Record<RefusalReason, string> = {
  scheme: 'The URL must begin with https://.',
  port: 'The URL names a port that this installation does not connect to.',
  userinfo: 'The URL must not hold a user name or password.',
  private_address: 'The URL names a private or reserved address.',
  internal_name: 'The URL names a host of an internal network.',
  own_address: 'The URL leads back to this installation.',
}

const defaultPorts: Readonly<Record<string, number>> = {
  'http:': 80,
  'https:': 443,
  'postgres:': 5432,
  'postgresql:': 5432,
  'redis:': 6379,
  'rediss:': 6379,
}

/** Names under which clouds serve instance credentials, and the zones of a cluster's own services. */
const internalNames =
  /^(metadata|instance-data|metadata\.goog|metadata\.google\.internal|instance-data\.ec2\.internal|metadata\.azure\.(com|internal)|metadata\.tencentyun\.com|metadata\.platformequinix\.com)$|(^|\.)(svc|cluster\.local)$/

/**
 * Builds the one judge of outside destinations.
 *
 * Private, reserved and special-purpose addresses are refused in every notation, and so are our own parts, unless
 * an operator lists them. An operator's entry speaks for the destination whatever it resolves to.
 *
 * @throws RangeError naming an `allow` entry that cannot be read
 */
export function createAddressPolicy(options: AddressPolicyOptions): AddressPolicy {
  const ports = new Set(options.ports)
  const listed = parseAllowList(options.allow, ports)
  const own = (options.ownOrigins ?? []).flatMap(toDestination)
  const isOwnLoopbackPort = (port: number): boolean => own.some((it) => isLoopbackHost(it.hostname) && it.port === port)

  const judge = (url: URL): RefusalReason | null => {
    if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'scheme'
    if (url.username !== '' || url.password !== '') return 'userinfo'
    const host = canonicalHost(url.hostname)
    const port = portOf(url)
    const address = parseIpAddress(host)
    if (listed.hasHost(host, port) || (address !== null && listed.hasAddress(address, port))) return null
    if (own.some((it) => it.hostname === host && it.port === port)) return 'own_address'
    if (isLoopbackHost(host) && isOwnLoopbackPort(port)) return 'own_address'
    if (options.allowLoopback && isLoopbackHost(host)) return null
    if (address !== null && !isPublicAddress(address)) return 'private_address'
    if (host === '' || internalNames.test(host)) return 'internal_name'
    if (isLoopbackHost(host)) return 'private_address'
    if (url.protocol !== 'https:') return 'scheme'
    return ports.has(port) ? null : 'port'
  }

  return {
    checkUrl(url) {
      const reason = judge(url)
      if (reason === null) return
      throw new AppError('url_not_allowed', 'destination refused', {
        publicDetail: publicDetails[reason],
        meta: { reason, host: url.host },
      })
    },
    isAddressAllowed(text, { hostname, port }) {
      const address = parseIpAddress(text)
      if (address === null) return false
      const host = canonicalHost(hostname)
      if (listed.hasHost(host, port) || listed.hasAddress(address, port)) return true
      if (isLoopbackAddress(address)) return options.allowLoopback && isLoopbackHost(host) && !isOwnLoopbackPort(port)
      return isPublicAddress(address)
    },
  }
}

/** The port that a URL leads to. */
export function portOf(url: URL): number {
  return url.port === '' ? (defaultPorts[url.protocol] ?? 0) : Number(url.port)
}

function isLoopbackHost(host: string): boolean {
  const address = parseIpAddress(host)
  return address === null ? host === 'localhost' : isLoopbackAddress(address)
}

/** A part of ours that is reached over a unix socket has no host, and needs no rule. */
function toDestination(origin: string): Destination[] {
  if (!URL.canParse(origin)) return []
  const url = new URL(origin)
  return url.hostname === '' ? [] : [{ hostname: canonicalHost(url.hostname), port: portOf(url) }]
}
