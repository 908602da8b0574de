import type { Command } from 'commander'
import { remoteHelp } from './remote-command.ts'

const states = ['created', 'auth_required', 'connected', 'disconnected'] as const
const shownAtMost = 20

/** `patchbay status` */
export function addStatusCommand(program: Command): void {
  program
    .command('status')
    .description('whether Patchbay answers, how your connectors are, and which need somebody')
    .option('--json', 'print JSON')
    .addHelpText('after', `${remoteHelp}\nExits with 1 when Patchbay does not answer or does not know the key.`)
    .action(run)
}

async function run({ json = false }: { json?: boolean }): Promise<void> {
  const [{ openApi }, { columns }, { describeTrouble }] = await Promise.all([
    import('./remote.ts'),
    import('./columns.ts'),
    import('./connector-report.ts'),
  ])
  const { client, read, url } = openApi()
  const pages = await Promise.all(
    states.map((state) => read(client.GET('/api/v1/connectors', { params: { query: { state, limit: shownAtMost } } }))),
  )
  const counts = Object.fromEntries(states.map((state, index) => [state, pages[index]?.total_count ?? 0]))
  const troubled = pages
    .flatMap(({ items }, index) => (states[index] === 'connected' ? [] : items))
    .slice(0, shownAtMost)
  if (json) {
    const needs = troubled.map(({ id, state, disconnect_code }) => ({ id, state, disconnect_code }))
    console.log(JSON.stringify({ url: url.origin, connectors: counts, needs_attention: needs }, null, 2))
    return
  }
  console.log(`Patchbay answers at ${url.origin} and knows the key.`)
  console.log(
    columns([
      ['connectors', ...states],
      ['', ...states.map((state) => String(counts[state]))],
    ]),
  )
  if (troubled.length === 0) return
  const rows = troubled.map((connector) => [
    connector.id,
    connector.metadata?.name ?? connector.url,
    describeTrouble(connector),
  ])
  console.log(`\n${columns([['id', 'name', 'what is the matter'], ...rows])}`)
  console.error('\nNext: patchbay connect <id>')
}
