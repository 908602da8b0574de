// An MCP server that is as cheap as can be: raw sockets, answers made beforehand. `x-bench: sse` is answered as an event stream,
// GET with a stream that stays open.
import { createServer } from 'node:net'

const [port] = process.argv.slice(2)
const text = 'x'.repeat(900)
const resultOf = (id) => `{"jsonrpc":"2.0","id":${id},"result":{"content":[{"type":"text","text":"${text}"}]}}`
const initializeResult = (id) =>
  `{"jsonrpc":"2.0","id":${id},"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"bench","version":"1"}}}`
const json = (body) =>
  `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
const chunk = (body) => `${body.length.toString(16)}\r\n${body}\r\n`
const streamHead = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n'
const accepted = 'HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n'

function answer(head, body) {
  if (head.startsWith('GET')) return streamHead + chunk(': open\n\n')
  const id = /"id":(\d+)/.exec(body)?.[1]
  if (id === undefined) return accepted
  if (body.includes('"initialize"')) return json(initializeResult(id))
  if (!body.includes('"stream"')) return json(resultOf(id))
  return streamHead + chunk(`event: message\ndata: ${resultOf(id)}\n\n`) + '0\r\n\r\n'
}

createServer((socket) => {
  let pending = ''
  socket.setNoDelay(true)
  socket.on('error', () => {})
  socket.on('data', (bytes) => {
    pending += bytes.toString('latin1')
    for (;;) {
      const headEnd = pending.indexOf('\r\n\r\n')
      if (headEnd === -1) return
      const head = pending.slice(0, headEnd)
      const length = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? 0)
      const end = headEnd + 4 + length
      if (pending.length < end) return
      socket.write(answer(head, pending.slice(headEnd + 4, end)), 'latin1')
      pending = pending.slice(end)
    }
  })
}).listen(Number(port), '127.0.0.1', () => process.stdout.write('ready\n'))
