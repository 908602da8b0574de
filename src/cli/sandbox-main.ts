import { startSandbox } from '../sandbox/sandbox.ts'

/** The sandbox as a process of its own: `node sandbox-main.js <port> <token lifetime in seconds>`, a child of `patchbay start`. */
const [port = '', tokenTtlSeconds = ''] = process.argv.slice(2)

const sandbox = await startSandbox({ port: Number(port), tokenTtlSeconds: Number(tokenTtlSeconds) })
let isStopping = false

function stop(): void {
  if (isStopping) return
  isStopping = true
  void sandbox.close().then(() => process.exit(0))
}

process.on('SIGTERM', stop)
// Ctrl-C reaches every process of the terminal; the parent ends this one in its turn
process.on('SIGINT', () => {})
// the parent was killed
process.on('disconnect', stop)
process.send?.({ url: sandbox.url })
