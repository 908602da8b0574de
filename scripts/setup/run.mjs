import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** The folder that holds package.json. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

/** A command that ended badly, after it had said why itself. */
export class CommandFailed extends Error {}

/** One line for people about what happens now. */
export function say(text) {
  console.log(`patchbay: ${text}`)
}

/**
 * Runs a Node program in the project's folder and shows what it prints.
 *
 * @param {string} what completes the sentence "... failed"
 * @param {string[]} args of node
 */
export async function runNode(what, args, { env = {}, quiet = false } = {}) {
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', quiet ? 'pipe' : 'inherit', quiet ? 'pipe' : 'inherit'],
  })
  // What a quiet program prints is shown when it fails.
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text) => {
      printed += text
    })
  }
  const [code, signal] = await once(child, 'close')
  if (code === 0) return
  process.stdout.write(printed)
  throw new CommandFailed(`${what} failed (${signal ?? `exit code ${code}`}).`)
}
