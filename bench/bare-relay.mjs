// The yardstick of `npm run bench:proxy`: the least that a relay on this platform can be, Node's HTTP server in front of
// undici's `dispatch`. No checks, no credentials, no log. Pinned: a change here makes earlier figures void.
import { createServer } from 'node:http'
import { Pool } from 'undici'

const [origin, port] = process.argv.slice(2)
const pool = new Pool(origin, { connections: 1024, pipelining: 1, allowH2: false, headersTimeout: 0, bodyTimeout: 0 })

createServer((request, response) => {
  const chunks = []
  request.on('data', (chunk) => chunks.push(chunk))
  request.on('end', () => {
    const { accept, 'content-type': contentType } = request.headers
    const headers = ['accept', accept ?? '*/*', ...(contentType === undefined ? [] : ['content-type', contentType])]
    const body = chunks.length === 0 ? null : chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)
    pool.dispatch(
      { path: '/mcp', method: request.method, headers, body },
      {
        onConnect(abort) {
          response.once('close', () => response.writableFinished || abort())
        },
        onHeaders(status, raw, resume) {
          const answer = []
          for (let index = 0; index < raw.length; index += 2) {
            const name = raw[index].toString('latin1').toLowerCase()
            if (name === 'content-type' || name === 'content-length')
              answer.push(name, raw[index + 1].toString('latin1'))
          }
          response.writeHead(status, answer)
          response.on('drain', resume)
          return true
        },
        onData: (chunk) => response.write(chunk),
        onComplete: () => response.end(),
        onError: () => response.destroy(),
      },
    )
  })
}).listen(Number(port), '127.0.0.1', () => process.stdout.write('ready\n'))
