import type { Keyring } from './keyring.ts'
import type { KeyUse, SealedColumn, SealedStore } from './sealed-store.ts'
import type { Vault } from './vault.ts'

/** `missing`: the ring has no such key. `wrong`: it has another one under that name. */
export type KeyState = 'active' | 'known' | 'missing' | 'wrong'

export type ColumnUsage = SealedColumn & {
  readonly keys: readonly { readonly kid: string; readonly count: number; readonly state: KeyState }[]
}

type Deps = { readonly store: SealedStore; readonly keyring: Keyring; readonly vault: Vault }

/** Which key seals how many values, in every sealed column, and whether the ring opens them. */
export async function readKeyUsage({ store, keyring, vault }: Deps): Promise<ColumnUsage[]> {
  const stateOf = (place: SealedColumn, { kid, sample }: KeyUse): KeyState => {
    if (!keyring.keys.has(kid)) return 'missing'
    try {
      vault.open(sample.sealed, { ...place, rowId: sample.rowId, tenantId: sample.tenantId })
      return kid === keyring.activeKid ? 'active' : 'known'
    } catch {
      return 'wrong'
    }
  }
  const usage: ColumnUsage[] = []
  for (const { table, column } of store.columns) {
    const uses = await store.usesOf({ table, column })
    const keys = uses.map((use) => ({ kid: use.kid, count: use.count, state: stateOf({ table, column }, use) }))
    usage.push({ table, column, keys })
  }
  return usage
}

/**
 * Refuses a ring that lacks a key, or has another one under its name, with which something is sealed: so a key that is still in
 * use cannot be retired.
 *
 * @throws Error with a sentence for the operator and the counts. Nothing has been changed then.
 */
export function requireEveryKey(usage: readonly ColumnUsage[]): void {
  const unreadable = usage.flatMap(({ table, column, keys }) =>
    keys
      .filter(({ state }) => state === 'missing' || state === 'wrong')
      .map(({ kid, count, state }) => `  - ${table}.${column}: ${count} with "${kid}", which is ${state}`),
  )
  if (unreadable.length === 0) return
  throw new Error(
    `Stored secrets are sealed with keys that ENCRYPTION_KEYS does not hold:\n${unreadable.join('\n')}\n` +
      'List those keys as well (behind the active one), run "patchbay keys rotate", and take them out when "patchbay keys status" ' +
      'shows no use of them. ENCRYPTION_ALLOW_MISSING=1 starts without these secrets. Nothing has been changed.',
  )
}
