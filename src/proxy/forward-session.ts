import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AskPeer, PeerAddress } from '../egress/ask-peer.ts'
import type { UnderWay } from './end-revoked.ts'
import { type ForwardingProofs, proofHeader } from './forwarding-proof.ts'
import type { Beating, Heartbeat } from './heartbeat.ts'
import { type Home, type OwnPlace, socketPathOf } from './own-place.ts'
import type { PlaceProofs } from './place-proof.ts'
import { advanceSseState, isAtEventBoundary, sseState } from './sse-boundary.ts'
import type { TranslatedCall } from './translate.ts'
import { unknownSession } from './unknown-session.ts'

type Deps = {
  readonly place: OwnPlace
  readonly askPeer: AskPeer
  readonly proofs: ForwardingProofs
  readonly placeProofs: PlaceProofs
  readonly heartbeat: Heartbeat<Beating & UnderWay>
}

/** Of one connection, or made anew for the next one. */
const hopByHop = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'expect'],
  ...['content-length', 'date', proofHeader],
])

const noBody = Buffer.alloc(0)

export type ForwardSession = ReturnType<typeof createForwardSession>

/**
 * Sends a call to the process where its session lives: over a socket when that belongs to the same server, else to the
 * other server's `INTERNAL_URL`, of whose processes any may get it and pass it on once more, over a socket. The request goes
 * as it came, credential included: its right is checked there too. Another server proves first, on the connection on which
 * the request then goes, that it is the one.
 *
 * @throws AppError `not_found` when the session's home is gone or out of reach: the client begins a new session
 */
export function createForwardSession({ place, askPeer, proofs, placeProofs, heartbeat }: Deps) {
  function addressOf(home: Home, { isForwarded, request, reply }: TranslatedCall): PeerAddress | null {
    if (home.server === place.server) {
      if (home.process === place.process || place.folder === null) return null
      return { socketPath: socketPathOf(place.folder, home.process) }
    }
    // once between servers is enough: what comes to the wrong one again is looking for a server that is gone
    if (home.url === null || home.url === place.url || isForwarded) return null
    const { nonce, isMetBy } = placeProofs.demand(home)
    const headers = ['host', request.headers.host ?? '', proofHeader, nonce]
    return {
      origin: home.url,
      introduction: {
        request: { method: 'OPTIONS', path: reply.call.path, headers, body: noBody },
        isMadeBy: (answer) => isMetBy(String(answer.headers[proofHeader])),
      },
    }
  }

  return async function forward(call: TranslatedCall, home: Home): Promise<void> {
    const { request, reply, body } = call
    const address = addressOf(home, call)
    if (address === null) throw unknownSession()
    const method = request.method ?? ''
    const { path } = reply.call
    const { authorization = null } = request.headers
    const headers = endToEnd(request.rawHeaders)
    headers.push(proofHeader, proofs.prove({ method, path, authorization, sessionId: call.boundSessionId }))
    // a body without its length would be read as the next request (RFC 9112 section 6.3)
    if (method !== 'GET') headers.push('content-length', String(body.length))
    const gone = new AbortController()
    reply.response.once('close', () => gone.abort())
    const answer = await askPeer(address, { method, path, headers, body }, gone.signal)
    if (answer === null) throw unknownSession()
    pass(call, answer, heartbeat)
  }
}

/** Passes on what another of ours answered: its headers are ours already. */
function pass(
  { request, reply, caller, target }: TranslatedCall,
  answer: IncomingMessage,
  heartbeat: Deps['heartbeat'],
) {
  const { response } = reply
  const isEvents = answer.headers['content-type'] === 'text/event-stream'
  let state: number = sseState.atBoundary
  let isRetired = false
  const endAtBoundary = () => {
    if (isEvents && isRetired && isAtEventBoundary(state)) response.end(() => response.destroy())
  }
  const underWay: Beating & UnderWay = {
    ...{ slot: -1, request, caller, target },
    // silence and age are watched where the session is
    beat: () => {},
    retire() {
      isRetired = true
      endAtBoundary()
    },
    cut: () => void response.destroy(),
  }
  heartbeat.add(underWay)
  response.once('close', () => {
    heartbeat.remove(underWay)
    answer.destroy()
  })
  if (response.destroyed) return void answer.destroy()

  response.writeHead(answer.statusCode ?? 502, [...endToEnd(answer.rawHeaders), ...lengthOf(answer)])
  response.flushHeaders()
  response.on('drain', () => answer.resume())
  answer.on('data', (chunk: Buffer) => {
    if (response.writableEnded) return
    state = advanceSseState(state, chunk)
    if (!response.write(chunk)) answer.pause()
    endAtBoundary()
  })
  answer.once('close', () => finish(answer, response))
}

/** Complete, or visibly not so (PX-09). */
function finish(answer: IncomingMessage, response: ServerResponse): void {
  if (answer.complete) response.end()
  else response.destroy()
}

function lengthOf({ headers }: IncomingMessage): string[] {
  const length = headers['content-length']
  return length === undefined ? [] : ['content-length', length]
}

function endToEnd(rawHeaders: readonly string[]): string[] {
  return rawHeaders.filter((_, index) => !hopByHop.has((rawHeaders[index - (index % 2)] ?? '').toLowerCase()))
}
