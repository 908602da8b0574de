import { InvalidArgumentError } from 'commander'
import type { Api } from './remote.ts'

/** Where commands that use the REST API find it. */
export const remoteHelp =
  '\nTalks to the Patchbay at PATCHBAY_URL (default: the one on this machine) with the key in PATCHBAY_API_KEY' +
  '\n(default, on this machine: the one that its first start left in .patchbay/admin-key).'

/** The program is loaded only when a command needs it: help and mistakes answer at once. */
export async function withApi(use: (api: Api) => Promise<void>): Promise<void> {
  const { openApi } = await import('./remote.ts')
  await use(openApi())
}

/** A whole number, 1 or more. */
export function readCount(text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('Give a whole number, 1 or more.')
  return count
}
