import { createInterface } from 'node:readline/promises'
import { type Command, Option } from 'commander'
import type { Connector } from '../client/client.ts'
import type { Api } from './remote.ts'
import { readCount, remoteHelp, withApi } from './remote-command.ts'

type JsonOption = { json?: boolean }
type ListOptions = JsonOption & { state?: Connector['state']; text?: string; limit: number }
type CreateOptions = JsonOption & {
  label?: string
  name?: string
  clientId?: string
  clientSecretStdin?: boolean
  transport?: Connector['transport']
  scopes?: string[]
  credentialScope?: Connector['credential_scope']
}

const states = ['created', 'auth_required', 'connected', 'disconnected'] as const

/** `patchbay connectors list | get | create | disconnect | delete | refresh` */
export function addConnectorCommands(program: Command): void {
  const connectors = program
    .command('connectors')
    .description('the MCP servers that you and your organisation have registered')
    .addHelpText('after', remoteHelp)
  const json = () => new Option('--json', 'print JSON, as the REST API answers')
  const connector = '<connector>'
  const aboutConnector = 'its id, or the address of its server'

  connectors
    .command('list')
    .description("your connectors and your organisation's, newest first")
    .addOption(new Option('--state <state>', 'only those in this state').choices(states))
    .option('--text <text>', 'only those with this text in name, description or address')
    .option('--limit <n>', 'how many at most', readCount, 1000)
    .addOption(json())
    .action((options: ListOptions) => withApi((api) => list(api, options)))

  connectors
    .command('get')
    .argument(connector, aboutConnector)
    .description('one connector: how it is and what to do about it')
    .addOption(json())
    .action((name: string, options: JsonOption) =>
      withApi(async (api) => show(await (await finder())(api, name), options)),
    )

  connectors
    .command('create')
    .argument('<url>', 'the address of the MCP server')
    .description('register an MCP server; nothing is contacted yet')
    .option('--name <text>', 'how people see it')
    .option('--label <text>', 'tells several connectors for one address apart')
    .option('--client-id <id>', 'an OAuth client that you have at its authorization server')
    .option('--client-secret-stdin', "read that client's secret from standard input")
    .option('--scopes <list>', 'comma-separated OAuth scopes to ask for (default: those that the server names)', split)
    .addOption(
      new Option('--transport <kind>', 'default: found out').choices(['auto', 'streamable_http', 'sse', 'websocket']),
    )
    .addOption(
      new Option('--credential-scope <scope>', 'one connection for all, or one for each person').choices([
        'tenant',
        'user',
      ]),
    )
    .addOption(json())
    .action((url: string, options: CreateOptions) => withApi((api) => create(api, url, options)))

  connectors
    .command('refresh')
    .argument(connector, aboutConnector)
    .description('get a new access token now')
    .addOption(json())
    .action((name: string, options: JsonOption) => withApi((api) => act(api, name, 'refresh', options)))

  connectors
    .command('disconnect')
    .argument(connector, aboutConnector)
    .description('end its grant, here at once and at its server by revocation')
    .addOption(json())
    .action((name: string, options: JsonOption) => withApi((api) => act(api, name, 'disconnect', options)))

  connectors
    .command('delete')
    .argument(connector, aboutConnector)
    .description('delete a connector with all that is connected through it')
    .option('--yes', 'do not ask')
    .addOption(json())
    .action((name: string, options: JsonOption & { yes?: boolean }) => withApi((api) => remove(api, name, options)))
}

const finder = async () => (await import('./find-connector.ts')).findConnector

async function list(api: Api, { state, text, limit, json = false }: ListOptions): Promise<void> {
  const items: Connector[] = []
  let token: string | null | undefined
  do {
    const query = { limit: Math.min(100, limit - items.length), state, q: text, page_token: token ?? undefined }
    const page = await api.read(api.client.GET('/api/v1/connectors', { params: { query } }))
    items.push(...page.items)
    token = page.next_page_token
  } while (token !== null && items.length < limit)
  if (json) console.log(JSON.stringify(items, null, 2))
  else if (items.length === 0) console.log('No connectors. Make one with: patchbay connectors create <url>')
  else console.log((await import('./connector-report.ts')).renderConnectors(items))
}

async function show(connector: Connector, { json = false }: JsonOption): Promise<void> {
  if (json) {
    console.log(JSON.stringify(connector, null, 2))
    return
  }
  const { nextStep, renderConnector } = await import('./connector-report.ts')
  console.log(renderConnector(connector))
  const next = nextStep(connector)
  if (next !== null) console.error(next)
}

async function create(api: Api, url: string, options: CreateOptions): Promise<void> {
  const { readSecretFromStdin } = await import('./read-stdin.ts')
  const body = {
    url,
    label: options.label,
    metadata: options.name === undefined ? undefined : { name: options.name },
    client_id: options.clientId,
    client_secret: options.clientSecretStdin === true ? await readSecretFromStdin() : undefined,
    scopes: options.scopes,
    transport: options.transport,
    credential_scope: options.credentialScope,
  }
  await show(await api.read(api.client.POST('/api/v1/connectors', { body })), options)
}

async function act(api: Api, name: string, action: 'refresh' | 'disconnect', options: JsonOption): Promise<void> {
  const { id } = await (await finder())(api, name)
  const path = { params: { path: { id } } }
  const { client, read } = api
  const done = await read(
    action === 'refresh'
      ? client.POST('/api/v1/connectors/{id}/refresh', path)
      : client.POST('/api/v1/connectors/{id}/disconnect', path),
  )
  await show(done, options)
  if (action === 'refresh' && done.state !== 'connected') process.exitCode = 1
}

async function remove(api: Api, name: string, { yes = false, json = false }: JsonOption & { yes?: boolean }) {
  const { id, url } = await (await finder())(api, name)
  if (!yes && !(await confirm(`Delete the connector ${id} (${url}) and every connection through it?`))) {
    throw new Error('Nothing was deleted.')
  }
  await api.read(api.client.DELETE('/api/v1/connectors/{id}', { params: { path: { id } } }))
  console.log(json ? JSON.stringify({ id, deleted: true }) : `Connector ${id} is deleted.`)
}

async function confirm(question: string): Promise<boolean> {
  if (process.stdin.isTTY !== true) throw new Error(`${question} Say so with --yes.`)
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim())
  } finally {
    terminal.close()
  }
}

const split = (text: string): string[] =>
  text
    .split(/[\s,]+/)
    .map((part) => part.trim())
    .filter((part) => part !== '')
