import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

export type Received = {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export type Reply = {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** Answers only once this resolves. */
  readonly after?: Promise<unknown>
}

export type WebhookReceiver = {
  readonly url: string
  readonly received: readonly Received[]
  /** What the next requests are answered with, one each; the last one goes on. Default: 204. */
  reply(...replies: readonly Reply[]): void
  close(): Promise<void>
}

/** A server that takes webhooks. */
export async function startWebhookReceiver(): Promise<WebhookReceiver> {
  const received: Received[] = []
  let replies: Reply[] = [{ status: 204 }]
  const server = createServer(async (request, response) => {
    const body = await text(request)
    received.push({ headers: request.headers as Record<string, string>, body })
    const reply = (replies.length > 1 ? replies.shift() : replies[0]) ?? { status: 204 }
    await reply.after
    response.writeHead(reply.status, reply.headers).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/hooks`,
    received,
    reply: (...next) => {
      replies = [...next]
    },
    close: async () => {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
