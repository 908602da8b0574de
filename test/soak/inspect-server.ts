import { WebSocket } from 'ws'
import { z } from 'zod'

/** Megabytes, after a collection: in use in V8's heap, held outside of it, and resident in all. */
export type ServerMemory = { readonly heap: number; readonly outside: number; readonly resident: number }

const targetsSchema = z.array(z.object({ webSocketDebuggerUrl: z.url() })).min(1)
const usageSchema = z.object({ heapUsed: z.number(), external: z.number(), rss: z.number() })
const answerSchema = z.object({
  id: z.number(),
  result: z.object({ result: z.object({ value: z.unknown() }).optional() }),
})
const megabyte = 1024 * 1024

/**
 * Looks into a server process that was started with `--inspect=127.0.0.1:<port>`, so that nothing has to be built into the
 * server for it.
 */
export async function readServerMemory(inspectorPort: number): Promise<ServerMemory> {
  const response = await fetch(`http://127.0.0.1:${inspectorPort}/json/list`)
  const [target] = targetsSchema.parse(await response.json())
  const socket = new WebSocket(target?.webSocketDebuggerUrl ?? '')
  try {
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    for (let turn = 0; turn < 3; turn += 1) await ask(socket, 'HeapProfiler.collectGarbage')
    const usage = await ask(socket, 'Runtime.evaluate', { expression: 'process.memoryUsage()', returnByValue: true })
    const { heapUsed, external, rss } = usageSchema.parse(usage)
    return { heap: heapUsed / megabyte, outside: external / megabyte, resident: rss / megabyte }
  } finally {
    socket.terminate()
  }
}

/** One command of the Chrome DevTools Protocol, and the value of its result. */
function ask(socket: WebSocket, method: string, params: object = {}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once('message', (data) => resolve(answerSchema.parse(JSON.parse(String(data))).result.result?.value))
    socket.send(JSON.stringify({ id: 1, method, params }))
  })
}
