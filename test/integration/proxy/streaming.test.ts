import type { ServerResponse } from 'node:http'
import { expect } from 'chai'
import type { ProxyLimits } from '../../../src/proxy/limits.ts'
import { until } from '../../support/until.ts'
import {
  type Answer,
  hang,
  hangAfterHeaders,
  respondInPieces,
  type ScriptedUpstream,
  startScriptedUpstream,
} from '../../support/upstreams/scripted-upstream.ts'
import { type Caller, createCaller, type StartedEndpoint, startEndpoint } from './start-endpoint.ts'

const eventStream = { 'content-type': 'text/event-stream' }
const megabyte = 1024 * 1024

describe('MCP endpoint, streams', () => {
  let upstream: ScriptedUpstream
  let started: StartedEndpoint
  let caller: Caller

  const start = async (limits: Partial<ProxyLimits> = {}): Promise<void> => {
    started = await startEndpoint({ upstreamUrl: upstream.url, limits })
    caller = createCaller(started)
  }
  beforeEach(async () => {
    upstream = await startScriptedUpstream()
  })
  afterEach(async () => {
    await caller.close()
    await started.close()
    await upstream.close()
  })

  /** An event stream whose bytes the test writes itself. */
  function byHand(): { readonly answer: Answer; readonly response: Promise<ServerResponse> } {
    let resolve: (response: ServerResponse) => void = () => {}
    const response = new Promise<ServerResponse>((it) => {
      resolve = it
    })
    return {
      answer: (it) => {
        it.writeHead(200, eventStream).flushHeaders()
        resolve(it)
      },
      response,
    }
  }

  /** A stream that stays silent: what is sent on it shows how much time has gone by for all of them. */
  async function openSilentStream() {
    upstream.script(() => hangAfterHeaders(eventStream))
    return collect((await caller.open({ method: 'GET' })).body)
  }

  /** Reads in the background. */
  function collect(body: AsyncIterable<Buffer>) {
    const state = { text: '', isEnded: false, failure: null as Error | null }
    void (async () => {
      try {
        for await (const chunk of body) state.text += chunk.toString('utf8')
        state.isEnded = true
      } catch (error) {
        state.failure = error as Error
      }
    })()
    return state
  }

  describe('when the upstream streams events', () => {
    const pieces = [
      'id: prime-1\ndata:\n\n',
      'retry: 500\n\n',
      ': a comment\n\n',
      'event: message\nid: 2\ndata: {"jsonrpc":"2.0","method":"notifications/progress","params":{"a":"\u00fc\u2028"}}\n\n',
      'event: message\r\nid: 3\r\ndata: {"x":\r\ndata: 1}\r\n\r\n',
      'data: old mac\r\r',
      'data: in tw',
      'o pieces\n',
      '\n',
      'id: 9\ndata: {"jsonrpc":"2.0","id":1,"result":{}}\n\n',
    ]

    for (const method of ['POST', 'GET']) {
      it(`passes the bytes of a ${method} stream as they are: ids, retry, comments, priming events`, async () => {
        await start()
        upstream.script(() => respondInPieces(pieces, eventStream))
        const answer = await caller.call({ method })
        expect(answer.body).to.equal(pieces.join(''))
        expect(answer.headers['content-type']).to.equal('text/event-stream')
      })
    }

    // @guards src/proxy/relay.ts:onHead
    it('REL-23: sends the headers before the first event, and each event before the next', async () => {
      await start()
      const { answer, response } = byHand()
      upstream.script(() => answer)
      const { body } = await caller.open()
      const upstreamResponse = await response
      const read = collect(body)
      for (let index = 0; index < 5; index += 1) {
        upstreamResponse.write(`data: ${index}\n\n`)
        await until(`event ${index}`, () => read.text.endsWith(`data: ${index}\n\n`), 1000)
      }
      expect(read.isEnded).to.equal(false)
      upstreamResponse.end()
      await until('the end', () => read.isEnded, 1000)
    })
  })

  describe('when the upstream is silent', () => {
    // @guards src/proxy/relay.ts:beat
    // @guards src/proxy/sse-boundary.ts:advanceSseState
    it('REL-22: sends a comment at event boundaries, also before the first event, and never inside one', async () => {
      await start({ keepAliveMs: 60 })
      const { answer, response } = byHand()
      upstream.script(() => answer)
      const { body } = await caller.open({ method: 'GET' })
      const read = collect(body)
      const upstreamResponse = await response
      await until('two comments', () => read.text === ': keepalive\n\n: keepalive\n\n')
      upstreamResponse.write('id: 1\ndata: a')
      await until('half an event', () => read.text.endsWith('data: a'))
      const inTheMiddle = read.text
      const other = await openSilentStream()
      await until('three comments on another stream', () => other.text === ': keepalive\n\n'.repeat(3))
      expect(read.text, 'nothing in the middle of an event').to.equal(inTheMiddle)
      upstreamResponse.write('b\n\n')
      await until('a comment after the event', () => read.text.endsWith('data: ab\n\n: keepalive\n\n'))
      expect(read.text.replaceAll(': keepalive\n\n', '')).to.equal('id: 1\ndata: ab\n\n')
    })

    it('REL-22: does not cut it before the idle limit, and does after', async () => {
      await start({ keepAliveMs: 30, idleMs: 600 })
      upstream.script(() => hangAfterHeaders(eventStream))
      const startedAt = performance.now()
      const read = collect((await caller.open({ method: 'GET' })).body)
      await until('the end', () => read.isEnded || read.failure !== null)
      expect(read.isEnded, 'at an event boundary the end is clean').to.equal(true)
      expect(performance.now() - startedAt).to.be.within(550, 2000)
      await upstream.received[0]?.over
    })

    it('does not put comments into JSON, and breaks it off when it comes to a halt', async () => {
      await start({ keepAliveMs: 30, stallMs: 200 })
      upstream.script(() => (response) => {
        response.writeHead(200, { 'content-type': 'application/json' }).write('{"a":')
      })
      const read = collect((await caller.open()).body)
      await until('the break', () => read.failure !== null)
      expect(read.text).to.equal('{"a":')
    })
  })

  describe('when a stream grows old', () => {
    // @guards src/proxy/relay.ts:retire
    it('PX-10: closes it at an event boundary', async () => {
      await start({ keepAliveMs: 60, streamLifeMs: 200 })
      const { answer, response } = byHand()
      upstream.script(() => answer)
      const read = collect((await caller.open({ method: 'GET' })).body)
      const upstreamResponse = await response
      upstreamResponse.write('data: half')
      await until('half an event', () => read.text.endsWith('half'))
      const other = await openSilentStream()
      await until('the end of a younger stream', () => other.isEnded)
      expect(read.isEnded).to.equal(false)
      upstreamResponse.write(' and half\n\n')
      await until('the end', () => read.isEnded)
      expect(read.text.endsWith('data: half and half\n\n')).to.equal(true)
      await upstream.received[0]?.over
    })

    it('PX-10: breaks it off when no boundary comes', async () => {
      await start({ keepAliveMs: 60, streamLifeMs: 100, stallMs: 100 })
      const { answer, response } = byHand()
      upstream.script(() => answer)
      const read = collect((await caller.open({ method: 'GET' })).body)
      const upstreamResponse = await response
      const timer = setInterval(() => upstreamResponse.write('x'), 20)
      await until('the break', () => read.failure !== null)
      clearInterval(timer)
    })

    // @guards src/proxy/sse-boundary.ts:isAtEventBoundary
    it('REL-19: ends open streams at their next event boundary when the process retires', async () => {
      await start()
      const { answer, response } = byHand()
      upstream.script(() => answer)
      const read = collect((await caller.open({ method: 'GET' })).body)
      const upstreamResponse = await response
      upstreamResponse.write('data: half')
      await until('half an event', () => read.text !== '')
      started.endpoint.retireStreams('all')
      expect(read.isEnded).to.equal(false)
      upstreamResponse.write('\n\n')
      await until('the end', () => read.isEnded)
      await until('nothing in flight', () => started.inFlight() === 0)
    })
  })

  describe('when the caller hangs up', () => {
    const cases: readonly (readonly [string, string, Answer, boolean])[] = [
      ['on a POST stream', 'POST', hangAfterHeaders(eventStream), true],
      ['on a GET stream', 'GET', hangAfterHeaders(eventStream), true],
      ['before there is an answer', 'POST', hang(), false],
      ['in the middle of JSON', 'POST', respondInPieces(endless(), { 'content-type': 'application/json' }), true],
      [
        'in an answer that is held',
        'POST',
        hangAfterHeaders({ 'content-type': 'application/json', 'content-length': '9' }),
        false,
      ],
    ]
    for (const [title, method, answer, hasHead] of cases) {
      // @guards src/proxy/relay.ts:callerGone
      it(`PX-11: ${title}, the upstream hears of it within a second`, async () => {
        await start()
        upstream.script(() => answer)
        const controller = new AbortController()
        const opening = caller.open({ method, signal: controller.signal }).then(
          ({ body }) => body.on('error', () => {}),
          () => null,
        )
        await upstream.whenReceived(1)
        if (hasHead) await opening
        const abortedAt = performance.now()
        controller.abort()
        await upstream.received[0]?.over
        expect(performance.now() - abortedAt).to.be.below(1000)
        await until('nothing in flight', () => started.inFlight() === 0, 1000)
      })
    }
  })

  describe('when the upstream goes away', () => {
    for (const method of ['POST', 'GET']) {
      it(`PX-11, PX-09: a ${method} stream breaks off too, within a second`, async () => {
        await start()
        const { answer, response } = byHand()
        upstream.script(() => answer)
        const read = collect((await caller.open({ method })).body)
        const upstreamResponse = await response
        upstreamResponse.write('data: a\n\n')
        await until('the event', () => read.text !== '')
        const brokenAt = performance.now()
        upstreamResponse.socket?.destroy()
        await until('the break', () => read.failure !== null, 1000)
        expect(read.isEnded, 'never a clean end').to.equal(false)
        expect(performance.now() - brokenAt).to.be.below(1000)
      })
    }

    it('control: an end that the upstream meant is a clean end', async () => {
      await start()
      upstream.script(() => respondInPieces(['data: a\n\n'], eventStream))
      const read = collect((await caller.open()).body)
      await until('the end', () => read.isEnded)
    })
  })

  describe('when the caller reads slowly', () => {
    const total = 96 * megabyte
    const chunk = Buffer.alloc(megabyte / 4, 'x')

    /** Sends as fast as it is let, without a line end, and counts. */
    function flood(): { readonly answer: Answer; sent(): number } {
      let sent = 0
      return {
        sent: () => sent,
        answer: async (response) => {
          response.writeHead(200, eventStream)
          while (sent < total && !response.destroyed) {
            sent += chunk.length
            if (!response.write(chunk)) await drained(response)
          }
          response.end()
        },
      }
    }

    // @guards src/proxy/relay.ts:onData
    it('REL-21, PX-10: the upstream is paused, memory stays, and all bytes come in the end', async () => {
      await start()
      const { answer, sent } = flood()
      upstream.script(() => answer)
      const { body } = await caller.open()
      const before = process.memoryUsage().rss
      let previous = -1
      await until('the upstream to stand still', async () => {
        const isStill = sent() === previous && sent() > 0
        previous = sent()
        await new Promise((resolve) => setTimeout(resolve, 150))
        return isStill
      })
      expect(sent(), 'what fits into the socket buffers').to.be.below(total / 3)
      // Upstream, endpoint and caller share this process, so the bound is not just the endpoint's.
      expect(process.memoryUsage().rss - before).to.be.below(40 * megabyte)
      let received = 0
      for await (const part of body) received += part.length
      expect(received).to.equal(total)
      expect(sent()).to.equal(total)
    })

    it('control: a caller who reads gets it without anybody standing still', async () => {
      await start()
      const { answer } = flood()
      upstream.script(() => answer)
      const { body } = await caller.open()
      let received = 0
      for await (const part of body) received += part.length
      expect(received).to.equal(total)
    })

    it('ends the upstream’s side when the caller goes while it is paused', async () => {
      await start()
      const { answer } = flood()
      upstream.script(() => answer)
      const { body } = await caller.open()
      body.on('error', () => {})
      await upstream.whenReceived(1)
      await new Promise((resolve) => setTimeout(resolve, 200))
      body.destroy()
      await upstream.received[0]?.over
    })

    it('a caller who reads nothing at all is let go at the idle limit', async () => {
      await start({ keepAliveMs: 60, idleMs: 400 })
      const { answer } = flood()
      upstream.script(() => answer)
      const { body } = await caller.open()
      body.on('error', () => {})
      await upstream.received[0]?.over
      await until('nothing in flight', () => started.inFlight() === 0)
    })
  })
})

async function* endless(): AsyncIterable<string> {
  for (;;) {
    yield '[1],'
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Settles when there is room again, or nobody left to write to. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      response.off('drain', settle).off('close', settle)
      resolve()
    }
    response.on('drain', settle).on('close', settle)
  })
}
