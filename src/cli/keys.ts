import { type Command, InvalidArgumentError } from 'commander'
import type { Keyring } from '../vault/keyring.ts'
import type { SealedStore } from '../vault/sealed-store.ts'
import type { Vault } from '../vault/vault.ts'
import { columns } from './columns.ts'

/** `patchbay keys status | rotate` */
export function addKeyCommands(program: Command): void {
  const keys = program.command('keys').description('the keys that seal stored secrets (ENCRYPTION_KEYS)')

  keys
    .command('status')
    .description('which key seals how many stored secrets')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExits with 1 when something is sealed with a key that is not at hand.')
    .action(async ({ json = false }: { json?: boolean }) => {
      const { readKeyUsage } = await import('../vault/key-usage.ts')
      const usage = await withKeys(readKeyUsage)
      const rows = usage.flatMap(({ table, column, keys: uses }) =>
        uses.map(({ kid, count, state }) => [`${table}.${column}`, kid, String(count), state]),
      )
      console.log(json ? JSON.stringify(usage, null, 2) : columns([['column', 'key', 'secrets', 'state'], ...rows]))
      if (rows.some(([, , , state]) => state === 'missing' || state === 'wrong')) process.exitCode = 1
    })

  keys
    .command('rotate')
    .description('seal every stored secret with the active key, the first of ENCRYPTION_KEYS')
    .option('--batch-size <rows>', 'rows per statement', readBatchSize, 200)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nRuns beside living processes, and may be stopped and run again. All of them must know the active key already.' +
        '\nExits with 1 when secrets were left that no key at hand opens.',
    )
    .action(async ({ batchSize, json = false }: { batchSize: number; json?: boolean }) => {
      const { rotateKeys } = await import('../vault/rotate-keys.ts')
      const { recordAct } = await import('./record-act.ts')
      const rotate = (parts: Parts) =>
        rotateKeys({
          ...parts,
          batchSize,
          onProgress: ({ table, column, resealed }) => console.error(`${table}.${column}: ${resealed} ...`),
        })
      const totals = await withKeys((parts) =>
        recordAct({ action: 'rotateKeys', targetType: 'encryption_keys' }, () => rotate(parts)),
      )
      const touched = totals.filter(({ resealed, unreadable }) => resealed + unreadable > 0)
      if (touched.some(({ unreadable }) => unreadable > 0)) process.exitCode = 1
      if (json) {
        console.log(JSON.stringify(touched, null, 2))
        return
      }
      for (const { table, column, resealed, unreadable } of touched) {
        console.log(
          `${table}.${column}: ${resealed} sealed anew${unreadable === 0 ? '' : `, ${unreadable} do not open`}`,
        )
      }
      if (touched.length === 0) console.log('Everything is sealed with the active key already.')
    })
}

type Parts = { readonly store: SealedStore; readonly keyring: Keyring; readonly vault: Vault }

async function withKeys<T>(use: (parts: Parts) => Promise<T>): Promise<T> {
  const [
    { readSettings },
    { requireDatabase },
    { readKeyring, requireKeysOfDatabase },
    { createVault },
    storage,
    keys,
  ] = await Promise.all([
    import('../config/settings.ts'),
    import('./require-database.ts'),
    import('../vault/key-check.ts'),
    import('../vault/vault.ts'),
    import('../storage/key-check-store.ts'),
    import('../composition/with-sealed-store.ts'),
  ])
  const { ENCRYPTION_KEYS: setting, DATA_DIR: dataDir, ...rest } = readSettings(process.env)
  const databaseUrl = await requireDatabase({ ...rest, ENCRYPTION_KEYS: setting, DATA_DIR: dataDir })
  await requireKeysOfDatabase({ store: storage.createPostgresKeyCheckStore(databaseUrl), setting, dataDir })
  const keyring = readKeyring(setting, dataDir)
  return keys.withSealedStore(databaseUrl, (store) => use({ store, keyring, vault: createVault(keyring) }))
}

function readBatchSize(text: string): number {
  const rows = Number(text)
  if (!Number.isInteger(rows) || rows < 1 || rows > 5000)
    throw new InvalidArgumentError('Give a whole number, 1 to 5000.')
  return rows
}
