// Runs a process as ours run, says "runs", and fails in the way that a line on standard input names. Says "closed" when
// it is ended in order.
import { once } from 'node:events'
import { createLogger } from '../../../src/log/logger.ts'
import { runProcess } from '../../../src/process/run-process.ts'

const log = createLogger('info')
await runProcess(log, async () => ({
  close: async () => console.log('closed'),
}))
console.log('runs')
const [line] = await once(process.stdin, 'data')
if (String(line).trim() === 'reject') void Promise.reject(new Error('nobody waits for this'))
else
  setTimeout(() => {
    throw new Error('nobody catches this')
  }, 0)
