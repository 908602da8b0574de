import { once } from 'node:events'
import { Agent, type IncomingMessage, request as overHttp, type RequestOptions } from 'node:http'
import { request as overHttps, Agent as TlsAgent } from 'node:https'
import { AppError } from '../kernel/app-error.ts'

/** Where another process of this installation listens: a socket on this machine, or an origin in the operator's network. */
export type PeerAddress =
  | { readonly socketPath: string }
  | { readonly origin: string; readonly introduction: Introduction }

/**
 * What is asked first of whoever listens at an origin: addresses are given to others once a server is gone. Both requests
 * go over one connection, so who answered the first gets the second.
 */
export type Introduction = {
  /** Holds nothing that a stranger may not see. */
  readonly request: PeerRequest
  readonly isMadeBy: (answer: IncomingMessage) => boolean
}

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
 * @returns the answer at its headers; null where nobody of ours listens, so that the request was not sent
 * @throws AppError `upstream_error` when the exchange breaks before the answer's headers
 */
export type AskPeer = (
  address: PeerAddress,
  request: PeerRequest,
  signal: AbortSignal,
) => Promise<IncomingMessage | null>

type Way = Pick<RequestOptions, 'agent' | 'socketPath'> & { readonly origin: string }

const connectMs = 2000

export const askPeer: AskPeer = async (address, request, signal) => {
  // a connection each: on a kept one that the other side gives up in the same moment a request is in doubt
  if ('socketPath' in address) return send({ ...address, agent: false, origin: 'http://localhost' }, request, signal)
  const { origin, introduction } = address
  const agent = oneConnection(origin)
  const way = { origin, agent }
  let answer: IncomingMessage | null = null
  try {
    if (await isIntroduced(way, introduction, AbortSignal.any([signal, AbortSignal.timeout(connectMs)]))) {
      const headers = [...request.headers, 'connection', 'close']
      answer = await send(way, { ...request, headers }, signal)
    }
    return answer
  } finally {
    if (answer === null) agent.destroy()
  }
}

/** Connects once: a second connection might lead to somebody else. */
function oneConnection(origin: string): Agent {
  const options = { keepAlive: true, maxSockets: 1 }
  const agent = origin.startsWith('https:') ? new TlsAgent(options) : new Agent(options)
  const connect = agent.createConnection.bind(agent)
  let isUsed = false
  agent.createConnection = (to, done) => {
    if (!isUsed) {
      isUsed = true
      return connect(to, done)
    }
    const [error, none] = [new Error('the connection is gone'), undefined as never]
    done?.(error, none)
    return undefined
  }
  return agent
}

/** Whatever goes wrong here: nobody of ours is there. */
async function isIntroduced(way: Way, { request, isMadeBy }: Introduction, signal: AbortSignal): Promise<boolean> {
  try {
    const answer = await send(way, request, signal)
    if (answer === null || !isMadeBy(answer)) {
      answer?.destroy()
      return false
    }
    answer.resume()
    await once(answer, 'end', { signal })
    return true
  } catch {
    return false
  }
}

function send(way: Way, { method, path, headers, body }: PeerRequest, signal: AbortSignal) {
  return new Promise<IncomingMessage | null>((resolve, reject) => {
    const { origin, ...connection } = way
    const open = origin.startsWith('https:') ? overHttps : overHttp
    const asking = open(origin, { ...connection, method, path, headers: [...headers], signal, setHost: false })
    let isConnected = false
    const timer = setTimeout(() => asking.destroy(new Error('nobody there')), connectMs)
    const connected = () => {
      isConnected = true
      clearTimeout(timer)
    }
    asking.once('socket', (socket) => {
      if (socket.connecting) socket.once('connect', connected)
      else connected()
    })
    asking.once('response', resolve)
    asking.once('error', (cause) => {
      clearTimeout(timer)
      if (!isConnected) resolve(null)
      else reject(new AppError('upstream_error', 'another process of ours broke off', { cause }))
    })
    asking.end(body)
  })
}
