// The yardstick in several processes on one port, as PROCESSES runs Patchbay: arguments as for bare-relay.mjs.
import cluster from 'node:cluster'
import { fileURLToPath } from 'node:url'

const processes = 2
cluster.setupPrimary({
  exec: fileURLToPath(new URL('bare-relay.mjs', import.meta.url)),
  args: process.argv.slice(2),
  silent: true,
})
let serving = 0
cluster.on('listening', () => {
  serving += 1
  if (serving === processes) process.stdout.write('ready\n')
})
for (let index = 0; index < processes; index += 1) cluster.fork()
