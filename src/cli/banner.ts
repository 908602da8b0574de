import type { FirstKey } from './first-key.ts'
import { walkthroughLines } from './walkthrough.ts'

type Facts = {
  readonly publicUrl: URL
  readonly sandboxUrl: string | null
  readonly firstKey: FirstKey
  readonly isTerminal: boolean
  readonly logFile: string
}

const makeKey = 'npx patchbay api-keys create --label me --role admin'

/** What `npm start` prints once everything runs. The key itself is shown on a terminal only, at the first start. */
export function banner({ publicUrl, sandboxUrl, firstKey, isTerminal, logFile }: Facts): string {
  const lines = [
    '',
    `Patchbay runs at ${publicUrl.origin}`,
    `  API description   ${publicUrl.origin}/api/v1/openapi.json`,
    ...(sandboxUrl === null ? [] : [`  Sandbox server    ${sandboxUrl}`]),
    `  Log               ${logFile}`,
    ...keyLines(firstKey, isTerminal),
  ]
  if (sandboxUrl !== null) {
    const keyExpression = firstKey.file === null ? '"$PATCHBAY_KEY"' : `$(cat '${firstKey.file}')`
    lines.push(
      '',
      'From here to a tool call, in another terminal in this folder:',
      '',
      ...walkthroughLines({ publicUrl, keyExpression, sandboxUrl }),
    )
  }
  lines.push('', 'Stop with Ctrl-C.')
  return lines.join('\n')
}

function keyLines({ key, file }: FirstKey, isTerminal: boolean): string[] {
  if (key !== null && isTerminal)
    return [`  Admin API key     ${key.reveal()}`, `                    (also in ${file}; keep it to yourself)`]
  if (file !== null) return [`  Admin API key     in ${file}`, `                    (another one: ${makeKey})`]
  return [`  Admin API key     make one with: ${makeKey}`]
}
