import { promises as dns } from 'node:dns'
import { isIP, type LookupFunction, type Socket } from 'node:net'
import { buildConnector } from 'undici'
import { AppError } from '../kernel/app-error.ts'
import { type AddressPolicy, type Destination, portOf } from './address-policy.ts'

/** Resolves a host name to all of its addresses. */
export type LookupAddresses = (
  hostname: string,
) => Promise<readonly { readonly address: string; readonly family: number }[]>

export type GuardedConnectorOptions = {
  readonly policy: AddressPolicy
  readonly lookup?: LookupAddresses | undefined
  /** From the look-up to the end of the TLS handshake (default 5000). */
  readonly timeoutMs?: number | undefined
  /** Certificate authorities besides those that Node.js trusts, PEM. */
  readonly ca?: string | undefined
}

const systemLookup: LookupAddresses = (hostname) => dns.lookup(hostname, { all: true, verbatim: true })

/**
 * How sockets to one origin are opened. Four checks, each of which alone would be passed by something:
 * the URL (scheme, port, name), a literal address (for which no lookup is made), all answers of the one DNS
 * lookup whose addresses are then connected to, and the address that the socket really has.
 *
 * A refusal reaches the request as an `AppError` `url_not_allowed` or `egress_blocked`.
 */
export function createGuardedConnector(origin: URL, options: GuardedConnectorOptions): buildConnector.connector {
  const connect = buildConnector(connectorOptions(origin, options))
  return (target, callback) => guard(origin, options.policy, callback, (done) => connect(target, done))
}

/** Opens a socket, and has each piece of what comes on it read at once: the memory is used again. `read` says whether to go on. */
export type OpenSocket = (read: (bytes: Buffer) => boolean, opened: buildConnector.Callback) => void

/**
 * The same, for who reads what comes as it comes. One piece of memory serves all sockets: the system's read fills it and the
 * reader is called in the same moment (libuv), and without it each read would allocate 64 KB.
 */
export function createGuardedOpener(origin: URL, options: GuardedConnectorOptions): OpenSocket {
  const common = connectorOptions(origin, options)
  const { hostname } = destinationOf(origin)
  const target = { hostname, host: origin.host, protocol: origin.protocol, port: origin.port }
  /** The last one, so that the next handshake is shorter. */
  let session: Buffer | undefined
  return (read, opened) => {
    const callback = (length: number, memory: Uint8Array) => read((memory as Buffer).subarray(0, length))
    const connect = buildConnector({
      ...common,
      ...(session === undefined ? {} : { session }),
      onread: { buffer: sharedMemory, callback },
    })
    guard(origin, options.policy, opened, (done) =>
      connect(target, (...result) => {
        result[1]?.on('session', (fresh: Buffer) => {
          session = fresh
        })
        done(...result)
      }),
    )
  }
}

const sharedMemory = Buffer.allocUnsafeSlow(64 * 1024)

function connectorOptions(
  origin: URL,
  { policy, lookup = systemLookup, timeoutMs = 5000, ca }: GuardedConnectorOptions,
) {
  return {
    allowH2: false,
    timeout: timeoutMs,
    autoSelectFamily: true,
    // Node's 250 ms would give up a working address on a slow line.
    autoSelectFamilyAttemptTimeout: 1000,
    lookup: createGuardedLookup(destinationOf(origin), policy, lookup),
    ...(ca === undefined ? {} : { ca }),
  }
}

function destinationOf(origin: URL): Destination {
  return { hostname: origin.hostname.replace(/^\[(.*)\]$/, '$1'), port: portOf(origin) }
}

/** The checks before and after a socket is opened. */
function guard(
  origin: URL,
  policy: AddressPolicy,
  callback: buildConnector.Callback,
  connect: (done: buildConnector.Callback) => void,
): void {
  const destination = destinationOf(origin)
  const { hostname } = destination
  try {
    policy.checkUrl(origin)
    if (isIP(hostname) !== 0 && !policy.isAddressAllowed(hostname, destination)) throw blocked('literal', hostname)
  } catch (error) {
    // Only `AppError`s are thrown above; they are handed over, later.
    queueMicrotask(() => callback(error as AppError, null))
    return
  }
  connect((...result) => {
    const [error, socket] = result
    if (error === null && !isPeerAllowed(socket, policy, destination)) {
      socket.destroy()
      callback(blocked('peer', socket.remoteAddress ?? 'none'), null)
    } else callback(...result)
  })
}

/** Resolves once; one forbidden answer among many forbids the host. The socket then uses these answers only. */
function createGuardedLookup(destination: Destination, policy: AddressPolicy, lookup: LookupAddresses): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname).then(
      (answers) => {
        const first = answers[0]
        const forbidden = answers.find(({ address }) => !policy.isAddressAllowed(address, destination))
        if (forbidden !== undefined) callback(blocked('dns', forbidden.address), [])
        else if (first === undefined) callback(Object.assign(new Error('no address'), { code: 'ENOTFOUND' }), [])
        else if (options.all === true) callback(null, [...answers])
        else callback(null, first.address, first.family)
      },
      (error: NodeJS.ErrnoException) => callback(error, []),
    )
  }
}

function isPeerAllowed(socket: Socket, policy: AddressPolicy, destination: Destination): boolean {
  return socket.remoteAddress !== undefined && policy.isAddressAllowed(socket.remoteAddress, destination)
}

function blocked(reason: 'literal' | 'dns' | 'peer', address: string): AppError {
  return new AppError('egress_blocked', 'address refused', { meta: { reason, address } })
}
