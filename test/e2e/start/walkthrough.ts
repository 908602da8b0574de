import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { packageRoot } from '../../../src/config/package-root.ts'
import { followLink } from '../../support/connecting.ts'
import { plainEnvironment } from '../../support/npm-start.ts'

export type WalkthroughResult = {
  /** What the lines printed. */
  readonly output: string
  /** What went to standard error: nothing, when all is well. */
  readonly complaints: string
  /** The link that was opened in a browser; null when none was printed. */
  readonly link: string | null
  /** The answer of the tool. */
  readonly text: string
}

/** Pastes the lines into bash in the checkout, all at once, and is the person in the browser when a link appears. */
export async function runWalkthrough(
  lines: string,
  account: string,
  folder: string = packageRoot(),
): Promise<WalkthroughResult> {
  const shell = spawn('bash', [], { cwd: folder, env: plainEnvironment(), stdio: 'pipe' })
  let output = ''
  let complaints = ''
  let link: string | null = null
  let browsing: Promise<void> = Promise.resolve()
  shell.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
    const found = /^Open (\S+)$/m.exec(output)?.[1]
    if (found === undefined || link !== null) return
    link = found
    browsing = authorize(found, account)
    // a shell that nobody authorizes would wait for ever
    browsing.catch(() => shell.kill())
  })
  shell.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text
  })
  shell.stdin.end(`${lines}\n`)
  await once(shell, 'close')
  await browsing
  return { output, complaints, link, text: toolText(output) }
}

async function authorize(link: string, account: string): Promise<void> {
  const page = await followLink(link, { account })
  if (page.title !== 'Authorization Successful') throw new Error(`the browser ended on "${page.title}": ${page.text}`)
}

function toolText(output: string): string {
  const line = output.trim().split('\n').at(-1) ?? ''
  const { result } = JSON.parse(line.replace(/^data: /, ''))
  return result.content[0].text
}
