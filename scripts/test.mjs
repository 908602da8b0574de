// `npm test [-- mocha's options or test files]`: sets up and runs the tests. The last line is `N passed, N failed, N skipped`.
import './check-node.mjs'

const { setUp } = await import('./setup/set-up.mjs')
await setUp()

const { spawn } = await import('node:child_process')
const { once } = await import('node:events')
const { join } = await import('node:path')
const { root } = await import('./setup/run.mjs')

const args = process.argv.slice(2)
const files = args.some((arg) => arg.endsWith('.ts')) ? [] : ['test/**/*.test.ts']
const mocha = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js')
const child = spawn(process.execPath, [mocha, ...files, ...args], { cwd: root, stdio: 'inherit' })
// Mocha has the terminal as well: it ends on Ctrl-C by itself, after cleaning up, and we end with it.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => child.kill('SIGTERM'))
const [code, signal] = await once(child, 'exit')
process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1)
