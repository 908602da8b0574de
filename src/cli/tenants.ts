import { type Command, InvalidArgumentError } from 'commander'
import { columns } from './columns.ts'

/** `patchbay tenants create | list` */
export function addTenantCommands(program: Command): void {
  const tenants = program.command('tenants').description('the organisations that this installation serves')

  tenants
    .command('create')
    .argument('<slug>', 'how keys and claims name it: lower-case letters, digits and dashes', readSlug)
    .description('make a tenant; nothing crosses from one to another')
    .option('--name <text>', 'how people name it (default: the slug)')
    .option('--json', 'print JSON')
    .action(async (slug: string, { name = slug, json = false }: { name?: string; json?: boolean }) => {
      const { withAccess } = await import('./open-access.ts')
      await withAccess(async ({ access }) => {
        const { recordAct } = await import('./record-act.ts')
        const tenant = await recordAct({ action: 'createTenant', targetType: 'tenant', targetId: slug }, () =>
          access.createTenant(slug, name),
        )
        if (tenant === null) throw new Error(`There is a tenant "${slug}" already.`)
        console.log(json ? JSON.stringify(tenant) : tenant.id)
        if (!json) console.error(`Next: patchbay api-keys create --tenant ${slug} --role admin --label <text>`)
      })
    })

  tenants
    .command('list')
    .description('all tenants')
    .option('--json', 'print JSON')
    .action(async ({ json = false }: { json?: boolean }) => {
      const { withAccess } = await import('./open-access.ts')
      await withAccess(async ({ access }) => {
        const all = await access.listTenants()
        const rows = all.map(({ slug, name, id }) => [slug, name, id])
        console.log(json ? JSON.stringify(all) : columns([['slug', 'name', 'id'], ...rows]))
      })
    })
}

function readSlug(text: string): string {
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(text) || text.length > 64) {
    throw new InvalidArgumentError('Give lower-case letters, digits and single dashes, 64 at most.')
  }
  return text
}
