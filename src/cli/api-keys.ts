import { type Command, InvalidArgumentError, Option } from 'commander'
import { nothingThere } from '../audit/audit-entry.ts'
import { addMs, systemClock } from '../kernel/clock.ts'
import { isId } from '../kernel/id.ts'
import { type PrincipalKind, principalKinds, type Role, roles, type Scope, scopes } from '../kernel/principal.ts'
import { columns } from './columns.ts'
import type { Access } from './open-access.ts'

type CreateOptions = {
  label: string
  tenant: string
  kind: PrincipalKind
  subject?: string
  role: Role
  scopes?: Scope[]
  expiresInDays?: number
  json?: boolean
}
type TenantOptions = { tenant: string; json?: boolean }

/** `patchbay api-keys create|list|revoke` */
export function addApiKeyCommands(program: Command): void {
  const keys = program.command('api-keys').description('make, list and revoke API keys')
  const tenant = () => new Option('--tenant <slug>', 'the tenant').default('default')
  const json = () => new Option('--json', 'print JSON')

  keys
    .command('create')
    .description('make a key; it is printed once')
    .requiredOption('--label <text>', 'what the key is for; people who connect see it')
    .addOption(tenant())
    .addOption(new Option('--role <role>', 'admins manage what the tenant shares').choices(roles).default('member'))
    .addOption(new Option('--kind <kind>', 'whom the key speaks for').choices(principalKinds).default('user'))
    .option('--subject <name>', 'names the person, agent or service (default: the label)')
    .option('--scopes <list>', `comma-separated: ${scopes.join(', ')} (default: all of the role)`, readScopes)
    .option('--expires-in-days <n>', 'days until the key stops working (default: never)', readDays)
    .addOption(json())
    .action((options: CreateOptions) => withAccess((parts) => create(parts, options)))

  keys
    .command('list')
    .description('list the keys of a tenant, newest first')
    .addOption(tenant())
    .addOption(json())
    .action((options: TenantOptions) => withAccess((parts) => list(parts, options)))

  keys
    .command('revoke <id>')
    .description('revoke a key, at once and for good')
    .addOption(tenant())
    .addOption(json())
    .action((id: string, options: TenantOptions) => withAccess((parts) => revoke(parts, id, options)))
}

/** The program is loaded only when a command needs it: help and mistakes answer at once. */
async function withAccess(use: (access: Access) => Promise<void>): Promise<void> {
  const { withAccess: open } = await import('./open-access.ts')
  await open(use)
}

async function create({ access, issueApiKey }: Access, options: CreateOptions): Promise<void> {
  const { recordAct } = await import('./record-act.ts')
  const tenant = await tenantId(access, options.tenant)
  const { key, apiKey } = await recordAct(
    { action: 'createApiKey', tenantId: tenant, targetType: 'api_key' },
    () =>
      issueApiKey({
        tenantId: tenant,
        label: options.label,
        kind: options.kind,
        subject: options.subject ?? options.label,
        role: options.role,
        ...(options.scopes === undefined ? {} : { scopes: options.scopes }),
        ...(options.expiresInDays === undefined ? {} : { expiresAt: daysFromNow(options.expiresInDays) }),
      }),
    (made) => ({ targetId: made.apiKey.id }),
  )
  if (options.json === true) {
    console.log(JSON.stringify({ id: apiKey.id, key: key.reveal() }))
    return
  }
  console.log(key.reveal())
  console.error(`Key ${apiKey.id} for ${apiKey.kind} "${apiKey.subject}", role ${apiKey.role}. It is not shown again.`)
}

async function list({ access }: Access, options: TenantOptions): Promise<void> {
  const keys = await access.listApiKeys(await tenantId(access, options.tenant))
  if (options.json === true) {
    console.log(JSON.stringify(keys))
    return
  }
  if (keys.length === 0) {
    console.log('No keys. Make one with: patchbay api-keys create --label <text>')
    return
  }
  const rows = keys.map((key) => [
    key.id,
    `${key.hint}...`,
    key.role,
    `${key.kind}:${key.subject}`,
    state(key),
    key.lastUsedAt === null ? 'never' : `${key.lastUsedAt.toISOString().slice(0, 16)}Z`,
    key.label,
  ])
  console.log(columns([['id', 'key', 'role', 'speaks for', 'state', 'last used', 'label'], ...rows]))
}

function state(key: { readonly revokedAt: Date | null; readonly expiresAt: Date | null }): string {
  if (key.revokedAt !== null) return 'revoked'
  if (key.expiresAt === null) return 'active'
  return key.expiresAt < systemClock.now() ? 'expired' : `until ${key.expiresAt.toISOString().slice(0, 16)}Z`
}

async function revoke({ access }: Access, id: string, options: TenantOptions): Promise<void> {
  if (!isId(id)) throw new Error('That is not the id of a key. "patchbay api-keys list" shows the ids.')
  const { recordAct } = await import('./record-act.ts')
  const tenant = await tenantId(access, options.tenant)
  const isFound = await recordAct(
    { action: 'revokeApiKey', tenantId: tenant, targetType: 'api_key', targetId: id },
    () => access.revokeApiKey(tenant, id, systemClock.now()),
    (isDone) => (isDone ? {} : nothingThere),
  )
  if (!isFound) throw new Error(`There is no key ${id} in tenant ${options.tenant}.`)
  console.log(options.json === true ? JSON.stringify({ id, revoked: true }) : `Key ${id} is revoked.`)
}

async function tenantId(access: Access['access'], slug: string): Promise<string> {
  const tenant = await access.findTenant(slug)
  if (tenant === null) throw new Error(`There is no tenant "${slug}".`)
  return tenant.id
}

function readScopes(text: string): Scope[] {
  return text.split(',').map((item) => {
    const scope = scopes.find((known) => known === item.trim())
    if (scope === undefined) throw new InvalidArgumentError(`"${item}" is not one of ${scopes.join(', ')}.`)
    return scope
  })
}

function readDays(text: string): number {
  const days = Number(text)
  if (!Number.isInteger(days) || days < 1 || days > 3650) throw new InvalidArgumentError('Give whole days, 1 to 3650.')
  return days
}

function daysFromNow(days: number): Date {
  return addMs(systemClock.now(), days * 86_400_000)
}
