import { type Command, InvalidArgumentError, Option } from 'commander'
import { auditChannels, auditOutcomes } from '../audit/audit-entry.ts'
import type { AuditEntry } from '../client/client.ts'
import type { Api } from './remote.ts'
import { readCount, remoteHelp, withApi } from './remote-command.ts'

export type FilterOptions = {
  target?: string
  subject?: string
  action?: string
  channel?: AuditEntry['channel']
  outcome?: AuditEntry['outcome']
  since?: string
  until?: string
}
type ListOptions = FilterOptions & { limit: number; installation?: boolean; json?: boolean }
type ExportOptions = FilterOptions & { after?: string; limit?: number }

/** `patchbay audit list | export` */
export function addAuditCommands(program: Command): void {
  const audit = program
    .command('audit')
    .description('who did what, or tried to, from where, and what came of it')
    .addHelpText('after', `${remoteHelp}\nThe key needs the scope "audit", which those of administrators have.`)

  filtered(audit.command('list').description('entries, newest first'))
    .option('--limit <n>', 'how many at most', readCount, 50)
    .option('--installation', 'of every tenant and of the installation itself, from its own database (DATABASE_URL)')
    .option('--json', 'print JSON, as the REST API answers')
    .action(list)

  filtered(audit.command('export').description('entries as JSON, one a line, oldest first'))
    .option('--after <id>', 'read on after this entry: the last "id" of the export before')
    .option('--limit <n>', 'how many at most (default: 100,000)', readCount)
    .action((options: ExportOptions) => withApi((api) => exportLines(api, options)))
}

function filtered(command: Command): Command {
  return command
    .option('--target <id>', 'only about this connector, API key, webhook or grant')
    .option('--subject <name>', 'only what they did')
    .option('--action <name>', 'only this operation, such as createConnector or signIn')
    .addOption(new Option('--channel <channel>', 'only from there').choices(auditChannels))
    .addOption(new Option('--outcome <outcome>', 'only what ended so').choices([...auditOutcomes, 'unfinished']))
    .option('--since <time>', 'at that time or later, such as 2026-11-01 or 2026-11-01T08:00:00Z', readTime)
    .option('--until <time>', 'before that time', readTime)
}

const filterOf = ({ target, subject, action, channel, outcome, since, until }: FilterOptions) => ({
  target_id: target,
  subject,
  action,
  channel,
  outcome,
  since,
  until,
})

type Page = { readonly items: readonly AuditEntry[]; readonly hasMore: boolean }

async function list({ limit, installation = false, json = false, ...filter }: ListOptions): Promise<void> {
  const { items, hasMore } = await (installation ? readInstallation(filter, limit) : readTenant(filter, limit))
  if (json) console.log(JSON.stringify(items, null, 2))
  else if (items.length === 0) console.log('No entries.')
  else {
    const { columns } = await import('./columns.ts')
    console.log(columns([['at', 'who', 'from', 'did', 'to', 'result'], ...items.map(rowOf)]))
    if (hasMore) console.error(`There are more: --limit ${limit * 10}, or "patchbay audit export".`)
  }
}

async function readInstallation(filter: FilterOptions, limit: number): Promise<Page> {
  const { readInstallationAudit } = await import('./installation-audit.ts')
  return readInstallationAudit(filter, limit)
}

async function readTenant(filter: FilterOptions, limit: number): Promise<Page> {
  const { openApi } = await import('./remote.ts')
  const api = openApi()
  const items: AuditEntry[] = []
  let token: string | null | undefined
  do {
    const query = { ...filterOf(filter), limit: Math.min(100, limit - items.length), page_token: token ?? undefined }
    const page = await api.read(api.client.GET('/api/v1/audit', { params: { query } }))
    items.push(...page.items)
    token = page.next_page_token
  } while (token !== null && items.length < limit)
  return { items, hasMore: token !== null }
}

function rowOf({ at, actor, address, action, target, outcome, code }: AuditEntry): string[] {
  const who = actor.api_key_label === null ? actor.subject : `${actor.subject} (${actor.api_key_label})`
  const to = target === null ? '' : `${target.type} ${target.id}`
  const result = code === null ? outcome : `${outcome}: ${code}`
  return [`${at.slice(0, 19)}Z`, `${actor.kind}:${who}`, address ?? '', action, to, result]
}

async function exportLines(api: Api, { after, limit, ...filter }: ExportOptions): Promise<void> {
  const query = { ...filterOf(filter), after, limit: limit?.toString() }
  const parts = await api.read(api.client.GET('/api/v1/audit/export', { params: { query }, parseAs: 'stream' }))
  const { pipeline } = await import('node:stream/promises')
  try {
    await pipeline(parts ?? [], process.stdout, { end: false })
  } catch (cause) {
    // whoever reads us has had enough, as "head" does
    if ((cause as NodeJS.ErrnoException).code === 'EPIPE') return
    throw new Error('The export was cut off, so what was written is not all. Read on with --after <the last id>.', {
      cause,
    })
  }
}

function readTime(text: string): string {
  const time = new Date(text)
  if (Number.isNaN(time.getTime())) throw new InvalidArgumentError('Give a date or a time, such as 2026-11-01T08:00Z.')
  return time.toISOString()
}
