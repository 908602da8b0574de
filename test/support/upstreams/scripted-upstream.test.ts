import { expect } from 'chai'
import {
  closeInBody,
  closeSocket,
  hang,
  hangAfterHeaders,
  respondInPieces,
  respondResult,
  type ScriptedUpstream,
  sendRaw,
  startScriptedUpstream,
} from './scripted-upstream.ts'

describe('startScriptedUpstream', () => {
  let upstream: ScriptedUpstream
  beforeEach(async () => {
    upstream = await startScriptedUpstream()
  })
  afterEach(() => upstream.close())

  const failureOf = (request: Promise<unknown>): Promise<unknown> =>
    request.then(
      () => undefined,
      (error: unknown) => error,
    )

  it('records what it was sent and answers as scripted', async () => {
    upstream.script(() => respondResult({ ok: true }, { 'mcp-session-id': 's1' }))
    const response = await fetch(`${upstream.url}?q=1`, {
      method: 'POST',
      headers: { 'X-Mixed': 'a' },
      body: '{"jsonrpc":"2.0","id":7,"method":"ping"}',
    })
    expect(response.headers.get('mcp-session-id')).to.equal('s1')
    expect(await response.json()).to.deep.equal({ jsonrpc: '2.0', id: 7, result: { ok: true } })
    await upstream.whenReceived(1)
    expect(upstream.received[0]).to.include({ method: 'POST', target: '/mcp?q=1' })
    expect(upstream.received[0]?.headers).to.have.property('x-mixed', 'a')
  })

  it('hangs before or after the headers until the caller leaves', async () => {
    upstream.script(() => hang())
    const leave = new AbortController()
    const asked = failureOf(fetch(upstream.url, { signal: leave.signal }))
    await upstream.whenReceived(1)
    leave.abort()
    expect(await asked).to.have.property('name', 'AbortError')
    await upstream.received[0]?.over

    upstream.script(() => hangAfterHeaders())
    const again = new AbortController()
    const response = await fetch(upstream.url, { signal: again.signal })
    expect(response.status).to.equal(200)
    again.abort()
    expect(await failureOf(response.text())).to.have.property('name', 'AbortError')
  })

  it('breaks off before, in the middle of, and outside of HTTP', async () => {
    upstream.script(() => closeSocket())
    expect(await failureOf(fetch(upstream.url))).to.be.instanceOf(TypeError)
    upstream.script(() => closeInBody('{"half":'))
    expect(await failureOf(fetch(upstream.url).then((response) => response.text()))).to.be.instanceOf(TypeError)
    upstream.script(() => sendRaw('HTTP/9.9 banana\r\n\r\n'))
    expect(await failureOf(fetch(upstream.url))).to.be.instanceOf(TypeError)
  })

  it('sends pieces when the test says so', async () => {
    let release: () => void = () => undefined
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    upstream.script(() =>
      respondInPieces(
        (async function* pieces() {
          yield 'data: 1\n\n'
          await released
          yield 'data: 2\n\n'
        })(),
      ),
    )
    const response = await fetch(upstream.url)
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
    expect((await reader?.read())?.value).to.equal('data: 1\n\n')
    release()
    expect((await reader?.read())?.value).to.equal('data: 2\n\n')
    expect((await reader?.read())?.done).to.equal(true)
  })
})
