import { type IncomingMessage, request as overHttp } from 'node:http'
import { request as overHttps } from 'node:https'
import { AppError } from '../kernel/app-error.ts'

/** Where another process of this installation listens: a socket on this machine, or an origin in the operator's network. */
export type PeerAddress = { readonly socketPath: string } | { readonly origin: string }

export type PeerRequest = {
  readonly method: string
  readonly path: string
  /** Names and values in turn, `Host` and `Content-Length` included. */
  readonly headers: readonly string[]
  readonly body: Buffer
}

/**
 * Asks another process of ours. The address comes from a setting or from ourselves, never from a caller or an upstream, so
 * it is not judged as an upstream's is.
 *
 * @param signal ends the exchange at any time
 * @returns the answer at its headers; null where nobody listens, so that nothing was sent
 * @throws AppError `upstream_error` when the exchange breaks before the answer's headers
 */
export type AskPeer = (
  address: PeerAddress,
  request: PeerRequest,
  signal: AbortSignal,
) => Promise<IncomingMessage | null>

const connectMs = 2000

export const askPeer: AskPeer = (address, { method, path, headers, body }, signal) =>
  new Promise((resolve, reject) => {
    // a connection each: on a kept one that the other side gives up in the same moment a request is in doubt
    const options = { method, path, headers: [...headers], signal, setHost: false, agent: false }
    const isSocket = 'socketPath' in address
    const open = !isSocket && address.origin.startsWith('https:') ? overHttps : overHttp
    const asking = isSocket ? open({ ...options, ...address }) : open(address.origin, options)
    let isConnected = false
    const timer = setTimeout(() => asking.destroy(new Error('nobody there')), connectMs)
    asking.once('socket', (socket) => {
      socket.once('connect', () => {
        isConnected = true
        clearTimeout(timer)
      })
    })
    asking.once('response', resolve)
    asking.once('error', (cause) => {
      clearTimeout(timer)
      if (!isConnected) resolve(null)
      else reject(new AppError('upstream_error', 'another process of ours broke off', { cause }))
    })
    asking.end(body)
  })
