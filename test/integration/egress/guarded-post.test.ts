import { gzipSync } from 'node:zlib'
import { expect } from 'chai'
import type { Dispatcher } from 'undici'
import { createAddressPolicy } from '../../../src/egress/address-policy.ts'
import { createGuardedDispatcher } from '../../../src/egress/guarded-dispatcher.ts'
import { createGuardedPost, type GuardedAnswer } from '../../../src/egress/guarded-post.ts'
import { type AppError, isAppError } from '../../../src/kernel/app-error.ts'
import { startServer, type TestServer } from './canary.ts'

const policy = createAddressPolicy({ allow: [], allowLoopback: true, ports: [] })
const form = { headers: { 'content-type': 'text/plain', authorization: 'Bearer t' }, body: 'secret' }

async function failureOf(answer: Promise<GuardedAnswer>): Promise<AppError> {
  const outcome = await answer.catch((error: unknown) => error)
  if (isAppError(outcome)) return outcome
  throw new Error('it did not fail as expected', { cause: outcome })
}

describe('createGuardedPost', () => {
  const servers: TestServer[] = []
  let dispatcher: Dispatcher
  const post = (target: string, bounds = {}) =>
    createGuardedPost({ policy, dispatcher })(target, { ...form, ...bounds })
  const serve = async (handler: Parameters<typeof startServer>[0]): Promise<TestServer> => {
    const server = await startServer(handler)
    servers.push(server)
    return server
  }

  beforeEach(() => {
    dispatcher = createGuardedDispatcher({ policy })
  })
  afterEach(async () => {
    await dispatcher.destroy()
    await Promise.all(servers.splice(0).map((server) => server.close()))
  })

  it('sends headers and body, says who it is, and reads the answer whole', async () => {
    const server = await serve((request, response) => {
      request.pipe(response.writeHead(418, { 'retry-after': '7', 'x-asked': request.headers['user-agent'] ?? '' }))
    })
    const { status, headers, text } = await post(server.origin)
    expect({ status, text, retryAfter: headers.get('retry-after') }).to.deep.equal({
      status: 418,
      text: 'secret',
      retryAfter: '7',
    })
    expect(server.requests[0]).to.include({ method: 'POST' })
    expect(server.requests[0]?.headers).to.include({
      authorization: 'Bearer t',
      'user-agent': 'Patchbay',
      'accept-encoding': 'identity',
    })
  })

  // @guards src/egress/guarded-post.ts:createGuardedPost
  it('SS-07: refuses a redirect, and the second server hears nothing', async () => {
    const second = await serve((_, response) => response.end())
    const first = await serve((_, response) => response.writeHead(307, { location: second.origin }).end())
    const error = await failureOf(post(first.origin))
    expect(error).to.include({ code: 'upstream_protocol_error' })
    expect(error.meta).to.include({ reason: 'redirect' })
    expect(second.requests).to.have.length(0)
  })

  // @guards src/egress/guarded-exchange.ts:createDeadline
  it('SS-08: ends a body that comes byte by byte at the total deadline', async () => {
    const server = await serve((_, response) => {
      const timer = setInterval(() => response.write('a'), 20)
      response.once('close', () => clearInterval(timer))
    })
    const error = await failureOf(post(server.origin, { totalMs: 200 }))
    expect(error.code).to.equal('upstream_timeout')
    expect(error.meta).to.include({ reason: 'total', isRequestSent: true })
  })

  it('SS-08: takes no longer body than it was told, and none that is coded', async () => {
    const server = await serve((request, response) => {
      if (request.url === '/coded') response.setHeader('content-encoding', 'gzip').end(gzipSync('{}'))
      else response.end('a'.repeat(1001))
    })
    expect((await failureOf(post(server.origin, { maxBytes: 1000 }))).meta).to.include({ reason: 'body_too_large' })
    expect((await failureOf(post(`${server.origin}/coded`))).meta).to.include({ reason: 'content_encoding' })
  })

  // @guards src/egress/guarded-exchange.ts:startGuarded
  it('SS-02: sends nothing where the policy says no', async () => {
    const server = await serve((_, response) => response.end())
    const strict = createAddressPolicy({ allow: [], allowLoopback: false, ports: [] })
    const error = await failureOf(createGuardedPost({ policy: strict, dispatcher })(server.origin, form))
    expect(error.code).to.equal('egress_blocked')
    expect(server.requests).to.have.length(0)
  })
})
