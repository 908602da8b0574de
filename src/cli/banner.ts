import type { FirstKey } from './first-key.ts'
import { shownPath } from './shown-path.ts'
import { makeKey, walkthroughLines } from './walkthrough.ts'

type Facts = {
  readonly publicUrl: URL
  readonly sandboxUrl: string | null
  readonly firstKey: FirstKey
  readonly isTerminal: boolean
  readonly logFile: string
}

/** What `npm start` prints once everything runs. The key itself is shown on a terminal only, at the first start. */
export function banner({ publicUrl, sandboxUrl, firstKey, isTerminal, logFile }: Facts): string {
  const keyFile = firstKey.file === null ? null : shownPath(firstKey.file)
  const facts: [name: string, value: string][] = [
    ['API description', `${publicUrl.origin}/api/v1/openapi.json`],
    ...(sandboxUrl === null ? [] : [['Sandbox', `${sandboxUrl} (an MCP server to try things on)`] as [string, string]]),
    ['Log', shownPath(logFile)],
    ...keyFacts(firstKey.key === null || !isTerminal ? null : firstKey.key.reveal(), keyFile),
  ]
  const lines = [
    '',
    `Patchbay runs at ${publicUrl.origin}`,
    '',
    ...facts.map(([name, value]) => `  ${name.padEnd(16)} ${value}`),
    '',
  ]
  if (sandboxUrl !== null) {
    lines.push(
      'From here to a tool call: paste these lines into another terminal, in this folder.',
      '',
      ...walkthroughLines({ publicUrl, keyFile, sandboxUrl }),
      '',
    )
  }
  return [...lines, 'Stop with Ctrl-C.'].join('\n')
}

function keyFacts(key: string | null, keyFile: string | null): [string, string][] {
  if (key !== null)
    return [
      ['Admin API key', key],
      ['', `(also in ${keyFile}; keep it to yourself)`],
    ]
  if (keyFile === null) return [['Admin API key', `make one with: ${makeKey}`]]
  return [
    ['Admin API key', `in ${keyFile}`],
    ['', `(another one: ${makeKey})`],
  ]
}
