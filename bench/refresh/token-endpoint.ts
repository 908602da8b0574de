import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * A token endpoint that rotates every refresh token, in a process of its own. It knows nobody and checks nothing: what is
 * measured is who asks. Commands by IPC: `{ delayMs }` begins a round, `'report'` answers with what came since.
 */
export type RoundReport = {
  readonly count: number
  readonly firstAt: number
  readonly lastAt: number
  readonly open: number
}

let delayMs = 0
let count = 0
let open = 0
let mostOpen = 0
let firstAt = 0
let lastAt = 0
let serial = 0

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  if (count === 0) firstAt = performance.now()
  count += 1
  open += 1
  mostOpen = Math.max(mostOpen, open)
  serial += 1
  const answer = JSON.stringify({
    access_token: `at-${serial}-${'x'.repeat(120)}`,
    refresh_token: `rt-${serial}-${'y'.repeat(40)}`,
    token_type: 'bearer',
    expires_in: 3600,
  })
  const send = () => {
    open -= 1
    lastAt = performance.now()
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(answer) })
    response.end(answer)
  }
  request.resume()
  request.once('end', () => (delayMs === 0 ? send() : setTimeout(send, delayMs)))
})

process.on('message', (message: 'report' | { readonly delayMs: number }) => {
  if (message === 'report') {
    process.send?.({ count, firstAt, lastAt, open: mostOpen } satisfies RoundReport)
    return
  }
  delayMs = message.delayMs
  count = 0
  mostOpen = 0
})
process.once('disconnect', () => process.exit())
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }))
