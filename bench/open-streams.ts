import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Target } from './targets.ts'

/** Opens that many event streams, resolves when the first bytes of each have come and the target had time to settle. */
export async function openStreams(target: Target, count: number): Promise<{ close(): void }> {
  const sockets: Socket[] = []
  for (let index = 0; index < count; index += 1) {
    const credential = target.credentials[index % target.credentials.length] ?? ''
    sockets.push(await openStream(target, credential))
  }
  await delay(3000)
  return { close: () => sockets.forEach((socket) => void socket.destroy()) }
}

function openStream({ name, port, path }: Target, credential: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      const authorization = credential === '' ? '' : `Authorization: Bearer ${credential}\r\n`
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: localhost:${port}\r\n${authorization}Accept: text/event-stream\r\n\r\n`,
      )
    })
    let text = ''
    socket.on('error', reject)
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1')
      if (text.includes(': open')) resolve(socket)
      else if (!text.startsWith('HTTP/1.1 200')) reject(new Error(`${name} answered ${text}`))
    })
  })
}
