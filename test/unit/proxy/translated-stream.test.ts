import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { expect } from 'chai'
import { newCall } from '../../../src/proxy/call.ts'
import type { UnderWay } from '../../../src/proxy/end-revoked.ts'
import { type Beating, createHeartbeat } from '../../../src/proxy/heartbeat.ts'
import { defaultProxyLimits } from '../../../src/proxy/limits.ts'
import { openStream } from '../../../src/proxy/translated-stream.ts'
import { targetOf } from '../../integration/proxy/start-endpoint.ts'
import { until } from '../../support/until.ts'

describe('openStream', () => {
  const heartbeat = createHeartbeat<Beating & UnderWay>(defaultProxyLimits)
  const underWay = () => {
    let count = 0
    heartbeat.visit(() => {
      count += 1
    })
    return count
  }
  after(() => heartbeat.stop())

  /** @param whenGone whether the reader goes before the stream is opened */
  async function open(whenGone: boolean) {
    const ends: number[] = []
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
    const [request, response] = (await once(server, 'request')) as [IncomingMessage, ServerResponse]
    if (whenGone) {
      socket.destroy()
      await once(response, 'close')
    }
    const caller = {
      principal: {
        id: 'p',
        tenantId: 't',
        kind: 'user' as const,
        subject: 's',
        role: 'member' as const,
        scopes: new Set<never>(),
        label: 'l',
      },
      credentialId: null,
      expiresAt: null,
    }
    const reply = { call: newCall('r', '/', 'c'), response, headers: [] }
    const target = targetOf('http://127.0.0.1:1/')
    const stream = openStream({ reply, request, caller, target, headers: [], heartbeat }, () => void ends.push(1))
    return {
      stream,
      ends,
      close: () => {
        socket.destroy()
        server.close()
      },
    }
  }

  // @guards src/proxy/translated-stream.ts:openStream
  it('PX-11: is over at once for a reader who went before it was opened', async () => {
    const { stream, ends, close } = await open(true)
    await until('it is over', () => !stream.isOpen())
    expect([ends.length, underWay()]).to.deep.equal([1, 0])
    close()
  })

  it('control: is open for a reader who is there, until he goes', async () => {
    const { stream, ends, close } = await open(false)
    expect([stream.isOpen(), ends.length, underWay()]).to.deep.equal([true, 0, 1])
    close()
    await until('it is over', () => !stream.isOpen())
    expect([ends.length, underWay()]).to.deep.equal([1, 0])
  })
})
