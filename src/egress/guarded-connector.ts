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
  readonly timeoutMs: number
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
  const { policy, lookup = systemLookup, timeoutMs, ca } = options
  const hostname = origin.hostname.replace(/^\[(.*)\]$/, '$1')
  const destination: Destination = { hostname, port: portOf(origin) }
  const connect = buildConnector({
    allowH2: false,
    timeout: timeoutMs,
    autoSelectFamily: true,
    // Node's 250 ms would give up a working address on a slow line.
    autoSelectFamilyAttemptTimeout: 1000,
    lookup: createGuardedLookup(destination, policy, lookup),
    ...(ca === undefined ? {} : { ca }),
  })

  return (target, callback) => {
    try {
      policy.checkUrl(origin)
      if (isIP(hostname) !== 0 && !policy.isAddressAllowed(hostname, destination)) throw blocked('literal', hostname)
    } catch (error) {
      // Only `AppError`s are thrown above; undici wants them handed over, later.
      queueMicrotask(() => callback(error as AppError, null))
      return
    }
    connect(target, (...result) => {
      const [error, socket] = result
      if (error === null && !isPeerAllowed(socket, policy, destination)) {
        socket.destroy()
        callback(blocked('peer', socket.remoteAddress ?? 'none'), null)
      } else callback(...result)
    })
  }
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
