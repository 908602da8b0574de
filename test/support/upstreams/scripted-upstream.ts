import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'

export type ReceivedRequest = {
  readonly method: string
  /** Path and query, as sent. */
  readonly target: string
  readonly headers: IncomingHttpHeaders
  /** Names and values in the order and spelling in which they came. */
  readonly rawHeaders: readonly string[]
  readonly body: string
  /** Settles when the exchange is over, whoever ended it. */
  readonly over: Promise<void>
}

/** What is done with one request. The functions below make the usual ones. */
export type Answer = (response: ServerResponse, request: ReceivedRequest) => void | Promise<void>

export type Script = (request: ReceivedRequest) => Answer

export type ScriptedUpstream = {
  readonly origin: string
  /** `<origin>/mcp`. */
  readonly url: string
  /** Every request so far, oldest first. */
  readonly received: readonly ReceivedRequest[]
  /** Replaces the script; open exchanges stay as they are. */
  script(script: Script): void
  /** Settles once `count` requests have come in all. */
  whenReceived(count: number): Promise<void>
  /** Ends open exchanges too. */
  close(): Promise<void>
}

/**
 * An HTTP server that does to each request whatever the test says, and remembers what it was sent.
 *
 * @param hostname the loopback address to listen on
 */
export async function startScriptedUpstream(
  initial: Script = () => respond(404, 'nothing is scripted'),
  hostname: '127.0.0.1' | '127.0.0.2' | '::1' = '127.0.0.1',
): Promise<ScriptedUpstream> {
  let script = initial
  const received: ReceivedRequest[] = []
  const waiting: { readonly count: number; readonly resolve: () => void }[] = []

  const server = createServer(async (incoming, response) => {
    const over = new Promise<void>((resolve) => response.once('close', () => resolve()))
    const body = await buffer(incoming).catch(() => undefined)
    if (body === undefined) return
    const request = {
      method: incoming.method ?? '',
      target: incoming.url ?? '',
      headers: incoming.headers,
      rawHeaders: incoming.rawHeaders,
      body: body.toString('utf8'),
      over,
    }
    received.push(request)
    for (const { count, resolve } of waiting) if (received.length >= count) resolve()
    await script(request)(response, request)
  })
  await once(server.listen(0, hostname), 'listening')
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('a listening server has no address')
  const origin = `http://${hostname === '::1' ? '[::1]' : hostname}:${address.port}`

  return {
    origin,
    url: `${origin}/mcp`,
    received,
    script(next) {
      script = next
    },
    whenReceived: (count) =>
      received.length >= count ? Promise.resolve() : new Promise<void>((resolve) => waiting.push({ count, resolve })),
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

type Headers = Readonly<Record<string, string | readonly string[]>>

/** A whole answer. */
export function respond(status: number, body: string | Uint8Array = '', headers: Headers = {}): Answer {
  return (response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
    response.writeHead(status).end(body)
  }
}

export function respondJson(value: unknown, status = 200, headers: Headers = {}): Answer {
  return respond(status, JSON.stringify(value), { 'content-type': 'application/json', ...headers })
}

export function respondHtml(body: string, status = 200): Answer {
  return respond(status, body, { 'content-type': 'text/html; charset=utf-8' })
}

/** A JSON-RPC result to the request that came. */
export function respondResult(result: unknown, headers: Headers = {}): Answer {
  return (response, request) => {
    const { id } = JSON.parse(request.body)
    return respondJson({ jsonrpc: '2.0', id, result }, 200, headers)(response, request)
  }
}

/**
 * Pieces of a body, each flushed before the next is taken: give a generator to decide when. For event streams the pieces are
 * the raw bytes, `data: ...\n\n`.
 */
export function respondInPieces(
  pieces: AsyncIterable<string> | Iterable<string>,
  headers: Headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' },
): Answer {
  return async (response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
    response.writeHead(200).flushHeaders()
    for await (const piece of pieces) {
      if (response.destroyed) return
      response.write(piece)
    }
    response.end()
  }
}

/** Never answers. */
export function hang(): Answer {
  return () => undefined
}

/** Sends the headers and then nothing more. */
export function hangAfterHeaders(headers: Headers = { 'content-type': 'application/json' }): Answer {
  return (response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
    response.writeHead(200).flushHeaders()
  }
}

/** Closes the connection without an answer. */
export function closeSocket(): Answer {
  return (response) => {
    response.socket?.destroy()
  }
}

/** Promises a longer body than it sends, and closes the connection in the middle. */
export function closeInBody(part: string, headers: Headers = { 'content-type': 'application/json' }): Answer {
  return (response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
    response.setHeader('content-length', Buffer.byteLength(part) + 1000)
    response.writeHead(200).write(part, () => response.socket?.destroy())
  }
}

/** Bytes on the wire, whatever HTTP thinks of them; then the connection is closed. */
export function sendRaw(bytes: string): Answer {
  return (response) => {
    response.socket?.end(bytes)
  }
}
