import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, InvalidArgumentError } from 'commander'
import type { Connector } from '../client/client.ts'
import type { Api } from './remote.ts'
import { remoteHelp } from './remote-command.ts'

type Options = { open?: boolean; subject?: string; tokenStdin?: boolean; timeout: number; json?: boolean }

const pollMs = 1000

/** `patchbay connect CONNECTOR` */
export function addConnectCommand(program: Command): void {
  program
    .command('connect')
    .argument('<connector>', 'its id, or the address of its server')
    .description('connect: opens the link in your browser where somebody has to agree, and waits until it is done')
    .option('--open', 'open the browser (default: on a terminal)')
    .option('--no-open', 'only print the link')
    .option('--subject <name>', 'whom to connect, where each person has a connection; needs an admin key')
    .option('--token-stdin', 'connect with an access token from standard input; needs no browser')
    .option('--timeout <seconds>', 'how long to wait for the person', readSeconds, 600)
    .option('--json', 'print the connected connector as JSON; the link goes to standard error')
    .addHelpText('after', `${remoteHelp}\nExits with 0 once it is connected, else with 1.`)
    .action(run)
}

async function run(name: string, options: Options): Promise<void> {
  const [{ openApi }, { findConnector }, { readSecretFromStdin }, { renderConnector }] = await Promise.all([
    import('./remote.ts'),
    import('./find-connector.ts'),
    import('./read-stdin.ts'),
    import('./connector-report.ts'),
  ])
  const api = openApi()
  const { id } = await findConnector(api, name)
  const body = {
    subject: options.subject,
    access_token: options.tokenStdin === true ? await readSecretFromStdin() : undefined,
  }
  const begun = await api.read(api.client.POST('/api/v1/connectors/{id}/connect', { params: { path: { id } }, body }))
  const done = begun.state === 'connected' ? begun : await askPerson(api, begun, options)
  console.log(options.json === true ? JSON.stringify(done, null, 2) : renderConnector(done))
}

async function askPerson(api: Api, begun: Connector, { open, subject, timeout }: Options): Promise<Connector> {
  const link = begun.auth_request?.authorization_endpoint
  if (link === undefined) {
    throw new Error('Somebody has to authorize it, but this key may not: ask an administrator to connect it.')
  }
  console.error(`Open this link and authorize; it is for you alone:\n\n  ${link}\n`)
  const { openBrowser } = await import('./open-browser.ts')
  if ((open ?? process.stderr.isTTY === true) && !(await openBrowser(new URL(link)))) {
    console.error('No browser could be opened from here.')
  }
  if (subject !== undefined) {
    console.error(`Not waiting: the connection will be that of ${subject}, and shows for them.`)
    return begun
  }
  return waitFor(api, begun, timeout)
}

/** Asks again and again until the connector is connected, the person refused, or the time is up. */
async function waitFor({ client, read }: Api, begun: Connector, timeout: number): Promise<Connector> {
  const deadline = performance.now() + timeout * 1000
  while (performance.now() < deadline) {
    await sleep(pollMs)
    const { id } = begun
    const now = await read(client.GET('/api/v1/connectors/{id}', { params: { path: { id } } }))
    if (now.state === 'connected') return now
    const { last_error: error } = now
    if (error !== null && error.at !== begun.last_error?.at) {
      throw new Error(`It was not authorized (${error.code}). The link still works: open it again, or run this again.`)
    }
  }
  throw new Error(`Nobody has authorized it within ${timeout} s. The link still works; run this again to wait again.`)
}

function readSeconds(text: string): number {
  const seconds = Number(text)
  if (!(seconds > 0 && seconds <= 86_400)) throw new InvalidArgumentError('Give seconds, up to 86400.')
  return seconds
}
