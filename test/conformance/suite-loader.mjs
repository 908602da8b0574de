// Lets the conformance suite load on Node 20: it imports `globSync` from `fs`, which Node has since 22, for a command that
// is not used here. Usage: node --import ./suite-loader.mjs .../conformance/dist/index.js
import fs from 'node:fs'
import { register } from 'node:module'
import { isMainThread } from 'node:worker_threads'

const substitute = 'patchbay:fs'
const source = `
  export * from 'node:fs'
  export { default } from 'node:fs'
  export const globSync = () => { throw new Error('needs Node 22') }`

// Node runs the hooks below in a thread of their own, from this same file.
if (isMainThread && !('globSync' in fs)) register(import.meta.url)

/** Node's resolve hook: the suite gets the substitute, everybody else the real thing. */
export async function resolve(specifier, context, next) {
  const isSuite = context.parentURL?.includes('/@modelcontextprotocol/conformance/') === true
  return isSuite && /^(node:)?fs$/.test(specifier) ? { url: substitute, shortCircuit: true } : next(specifier, context)
}

/** Node's load hook. */
export async function load(url, context, next) {
  return url === substitute ? { format: 'module', shortCircuit: true, source } : next(url, context)
}
