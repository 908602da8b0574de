import type { IncomingMessage } from 'node:http'
import type { Caller } from '../access/caller.ts'
import type { UpstreamTarget } from '../connections/resolve-upstream.ts'
import { commonHeaders, type Reply } from './call.ts'
import type { UnderWay } from './end-revoked.ts'
import type { Beating, Heartbeat } from './heartbeat.ts'

export type TranslatedStream = {
  readonly isOpen: () => boolean
  send(message: object): void
  /** `isClean`: the stream has said all that it had to. Else its reader must notice that it broke off. */
  end(isClean: boolean): void
}

/** A reader that is this far behind is let go: the upstreams of these transports cannot be made to wait. Bytes. */
const maxBehind = 8 * 1024 * 1024

/** An event stream towards a caller that is made of messages. It beats as relayed streams do, and ends as they do. */
export function openStream(
  {
    heartbeat,
    ...call
  }: {
    readonly reply: Reply
    readonly request: IncomingMessage
    readonly caller: Caller
    readonly target: UpstreamTarget
    readonly headers: readonly string[]
    readonly heartbeat: Heartbeat<Beating & UnderWay>
  },
  onEnd: () => void,
): TranslatedStream {
  const { response, headers } = call.reply
  let isOpen = true
  let quiet = 0
  let age = 0
  response.writeHead(200, [
    ...headers,
    ...commonHeaders,
    ...call.headers,
    ...['content-type', 'text/event-stream', 'x-accel-buffering', 'no'],
  ])
  response.flushHeaders()

  const beating: Beating & UnderWay = {
    slot: -1,
    request: call.request,
    caller: call.caller,
    target: call.target,
    beat() {
      quiet += 1
      age += 1
      if (age > heartbeat.beats.life && call.request.method === 'GET') finish(true)
      else if (quiet >= heartbeat.beats.keepAlive) write(': keepalive\n\n')
    },
    // events are written whole: any moment is between two of them
    retire: () => finish(call.request.method === 'GET'),
    cut: () => finish(false),
  }
  const write = (text: string) => {
    quiet = 0
    response.write(text)
  }
  function finish(isClean: boolean): void {
    if (!isOpen) return
    isOpen = false
    heartbeat.remove(beating)
    if (isClean) response.end()
    else response.destroy()
    onEnd()
  }
  heartbeat.add(beating)
  response.once('close', () => finish(true))
  // whose reader went before it was opened hears of no close
  if (response.destroyed) queueMicrotask(() => finish(true))

  return {
    isOpen: () => isOpen,
    send: (message) => {
      if (!isOpen) return
      if (response.writableLength > maxBehind) finish(false)
      else write(`event: message\ndata: ${JSON.stringify(message)}\n\n`)
    },
    end: finish,
  }
}
