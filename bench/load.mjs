// A load generator on raw sockets: one request at a time on each connection, the next as soon as the answer is complete, or so
// many per second in all. Takes a job as JSON on standard input, prints one line of JSON.
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'

const job = JSON.parse(readFileSync(0, 'utf8'))
// requests: what is sent, in turn; perSecond 0: as fast as it goes
const { port, requests, connections, seconds, perSecond } = job
const messages = requests.map((request) => Buffer.from(request, 'latin1'))
const latencies = []
const statuses = {}
let next = 0
let isOver = false
const idle = []
let due = 0

function open() {
  const socket = connect(port, '127.0.0.1')
  socket.setNoDelay(true)
  let received = ''
  let sentAt = 0
  const send = () => {
    sentAt = performance.now()
    socket.write(messages[next++ % messages.length])
  }
  const free = () => {
    if (isOver) socket.destroy()
    else if (perSecond === 0) send()
    else if (due > 0) {
      due -= 1
      send()
    } else idle.push(send)
  }
  socket.on('connect', free)
  socket.on('error', () => {
    statuses.broken = (statuses.broken ?? 0) + 1
  })
  socket.on('data', (bytes) => {
    received = received === '' ? bytes.toString('latin1') : received + bytes.toString('latin1')
    const headEnd = received.indexOf('\r\n\r\n')
    if (headEnd === -1) return
    const length = /content-length: *(\d+)/i.exec(received.slice(0, headEnd))?.[1]
    const isComplete =
      length === undefined ? received.endsWith('\r\n0\r\n\r\n') : received.length >= headEnd + 4 + Number(length)
    if (!isComplete) return
    const status = received.slice(9, 12)
    statuses[status] = (statuses[status] ?? 0) + 1
    latencies.push(performance.now() - sentAt)
    received = ''
    free()
  })
}

for (let index = 0; index < connections; index += 1) open()
const startedAt = performance.now()
if (perSecond > 0) {
  let given = 0
  const timer = setInterval(() => {
    const wanted = Math.floor(((performance.now() - startedAt) / 1000) * perSecond)
    for (; given < wanted; given += 1) {
      const send = idle.pop()
      if (send === undefined) due += 1
      else send()
    }
    if (isOver) clearInterval(timer)
  }, 1)
}
setTimeout(() => {
  isOver = true
  const tookSeconds = (performance.now() - startedAt) / 1000
  latencies.sort((a, b) => a - b)
  const at = (share) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? null
  const { user, system } = process.cpuUsage()
  const line = {
    count: latencies.length,
    perSecond: latencies.length / tookSeconds,
    p50: at(0.5),
    p99: at(0.99),
    statuses,
    loadCpu: (user + system) / 1e6 / tookSeconds,
  }
  process.stdout.write(`${JSON.stringify(line)}\n`, () => process.exit(0))
}, seconds * 1000)
