import { text } from 'node:stream/consumers'

/**
 * A secret from standard input, where no list of processes and no history of a shell shows it.
 *
 * @throws Error when there is none
 */
export async function readSecretFromStdin(): Promise<string> {
  if (process.stdin.isTTY === true) console.error('Paste it, then press Enter and Ctrl-D:')
  const secret = (await text(process.stdin)).trim()
  if (secret === '') throw new Error('Nothing came on standard input.')
  return secret
}
