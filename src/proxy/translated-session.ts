import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js'
import type { TranslatedStream } from './translated-stream.ts'

type Id = string | number
type Waiting = { readonly stream: TranslatedStream; readonly progressToken: Id | undefined }

/** Messages that nobody is there to hear are kept for the next stream, up to this many, and this long together. */
const maxKept = 100
const maxKeptLength = 1024 * 1024

export type TranslatedSession = ReturnType<typeof createTranslatedSession>

/**
 * One session with an upstream of another transport, which knows one line in each direction: sorts what comes on it into
 * the streams of the caller. An answer goes to the stream of its request, progress too; what belongs to no request goes to
 * the GET stream, or waits for one.
 *
 * @param onEnd called once, whoever ended it
 */
export function createTranslatedSession(transport: Transport, onEnd: () => void) {
  const waiting = new Map<Id, Waiting>()
  const kept: JSONRPCMessage[] = []
  let keptLength = 0
  let listener: TranslatedStream | null = null
  let isOver = false

  /** What a hostile upstream sends may be JSON that cannot be written again: too deep. */
  function onMessage(message: JSONRPCMessage): void {
    try {
      sort(message)
    } catch {
      end()
    }
  }

  function sort(message: JSONRPCMessage): void {
    if (!('method' in message)) {
      const call = message.id === undefined ? undefined : waiting.get(message.id)
      if (message.id === undefined || call === undefined) return
      call.stream.send(message)
      waiting.delete(message.id)
      if (![...waiting.values()].some(({ stream }) => stream === call.stream)) call.stream.end(true)
      return
    }
    const token = message.method === 'notifications/progress' ? message.params?.progressToken : undefined
    const calls = [...waiting.values()]
    const own = token === undefined ? undefined : calls.find(({ progressToken }) => progressToken === token)
    // without a GET stream whoever waits for an answer gets to hear it: that may be what the answer waits for
    const stream = own?.stream ?? listener ?? calls[0]?.stream
    if (stream?.isOpen()) stream.send(message)
    else keep(message)
  }

  function keep(message: JSONRPCMessage): void {
    if (kept.length >= maxKept) return
    const { length } = JSON.stringify(message)
    if (keptLength + length > maxKeptLength) return
    kept.push(message)
    keptLength += length
  }

  function end(): void {
    if (isOver) return
    isOver = true
    for (const { stream } of waiting.values()) stream.end(false)
    listener?.end(true)
    waiting.clear()
    onEnd()
    void transport.close()
  }
  transport.onmessage = onMessage
  transport.onclose = end
  // the SSE transport would begin a new session behind our caller's back
  transport.onerror = end

  return {
    end,
    isOver: () => isOver,
    /** False while none of the caller's streams is open. */
    isBusy: () => waiting.size > 0 || listener !== null,
    isAsked: (id: Id) => waiting.has(id),
    send: (message: JSONRPCMessage) => transport.send(message),

    /** The answers to these requests, and what comes before them, go to `stream`. */
    expect(requests: readonly JSONRPCMessage[], stream: TranslatedStream): void {
      for (const request of requests) {
        if ('id' in request && request.id !== undefined && 'method' in request) {
          waiting.set(request.id, { stream, progressToken: request.params?._meta?.progressToken })
        }
      }
    },
    /** The caller no longer waits on this stream. */
    forget(stream: TranslatedStream): void {
      for (const [id, call] of waiting) if (call.stream === stream) waiting.delete(id)
      if (listener === stream) listener = null
    },
    /** The newest stream is the one: a caller that comes again may have lost the older one before we know of it. */
    listen(stream: TranslatedStream): void {
      const older = listener
      listener = stream
      older?.end(true)
      keptLength = 0
      for (const message of kept.splice(0)) stream.send(message)
    },
  }
}
