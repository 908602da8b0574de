// Waits for a line on standard input, then tries for the instance lock once, says how it went, and stays.
// Arguments: data folder.
import { once } from 'node:events'
import { acquireInstanceLock } from '../../../src/storage/instance-lock.ts'

console.log('waiting')
await once(process.stdin, 'data')
const url = `http://localhost/${process.pid}`
const result = await acquireInstanceLock(process.argv[2] ?? '', { url, startedAt: new Date() })
console.log(JSON.stringify(result.state === 'running' ? result : { state: result.state }))
