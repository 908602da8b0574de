// `npm start`: makes the checkout ready and runs `patchbay start` in this very process, so that signals and the exit
// code need no handing on.
import './check-node.mjs'
import { fileURLToPath } from 'node:url'

const { setUp } = await import('./setup/set-up.mjs')
await setUp()

const program = new URL('../dist/src/cli/main.js', import.meta.url)
process.setSourceMapsEnabled(true)
process.argv.splice(1, 1, fileURLToPath(program), 'start')
await import(program.href)
