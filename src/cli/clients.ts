import { type Command, Option } from 'commander'
import { nothingThere } from '../audit/audit-entry.ts'
import { systemClock } from '../kernel/clock.ts'
import { columns } from './columns.ts'
import type { Clients } from './open-clients.ts'

type CreateOptions = { name: string; redirectUri: string[]; secret?: boolean; json?: boolean }

/** `patchbay clients create|list|delete` */
export function addClientCommands(program: Command): void {
  const clients = program.command('clients').description('OAuth clients for hosts that do not register themselves')
  const json = () => new Option('--json', 'print JSON')

  clients
    .command('create')
    .description('make a client; its id and its secret are typed into the host')
    .requiredOption('--name <text>', 'what people read on the consent page')
    .requiredOption('--redirect-uri <uri...>', 'where the host wants to be answered, exactly; one or more')
    .option('--secret', 'with a secret, which is printed once (default: a public client)')
    .addOption(json())
    .action((options: CreateOptions) => withClients((parts) => create(parts, options)))

  clients
    .command('list')
    .description('list the clients that were made here, oldest first')
    .addOption(json())
    .action((options: { json?: boolean }) => withClients((parts) => list(parts, options)))

  clients
    .command('delete <id>')
    .description('delete a client, and end at once what people granted to it')
    .action((id: string) => withClients((parts) => remove(parts, id)))
}

/** The program is loaded only when a command needs it: help and mistakes answer at once. */
async function withClients(use: (parts: Clients) => Promise<void>): Promise<void> {
  const { withClients: open } = await import('./open-clients.ts')
  await open(use)
}

async function create({ makeClient }: Clients, options: CreateOptions): Promise<void> {
  const { recordAct } = await import('./record-act.ts')
  const { client, secret } = await recordAct(
    { action: 'createClient', targetType: 'client' },
    () =>
      makeClient({
        name: options.name,
        redirectUris: options.redirectUri,
        isConfidential: options.secret === true,
      }),
    (made) => ({ targetId: made.client.clientId }),
  )
  if (options.json === true) {
    console.log(JSON.stringify({ client_id: client.clientId, client_secret: secret?.reveal() ?? null }))
    return
  }
  console.log(`client id      ${client.clientId}`)
  if (secret !== null) {
    console.log(`client secret  ${secret.reveal()}`)
    console.error('The secret is not shown again.')
  }
}

async function list({ clients }: Clients, { json = false }: { json?: boolean }): Promise<void> {
  const rows = (await clients.listPreMade()).map(({ clientId, metadata, createdAt }) => ({
    client_id: clientId,
    name: metadata.client_name ?? '',
    redirect_uris: metadata.redirect_uris,
    created_at: createdAt.toISOString(),
  }))
  if (json) console.log(JSON.stringify(rows))
  else if (rows.length === 0) console.log('No clients. Make one with: patchbay clients create --name <text> ...')
  else {
    const cells = rows.map((row) => [row.client_id, row.name, row.created_at.slice(0, 10), row.redirect_uris.join(' ')])
    console.log(columns([['client id', 'name', 'made', 'redirects'], ...cells]))
  }
}

async function remove({ clients }: Clients, id: string): Promise<void> {
  const { recordAct } = await import('./record-act.ts')
  const act = { action: 'deleteClient', targetType: 'client', targetId: id }
  const isFound = await recordAct(
    act,
    () => clients.remove(id, systemClock.now()),
    (isDone) => (isDone ? {} : nothingThere),
  )
  if (!isFound) throw new Error(`There is no client ${id}. "patchbay clients list" shows the ids.`)
  console.log(`Client ${id} is deleted.`)
}
