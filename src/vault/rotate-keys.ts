import type { Keyring } from './keyring.ts'
import type { SealedColumn, SealedStore, SealedValue } from './sealed-store.ts'
import type { Vault } from './vault.ts'

export type RotationProgress = SealedColumn & {
  /** Sealed anew with the active key. */
  readonly resealed: number
  /** Do not open with this ring; they were left as they are. */
  readonly unreadable: number
}

type Deps = {
  readonly store: SealedStore
  readonly keyring: Keyring
  readonly vault: Vault
  readonly batchSize: number
  /** Told after each batch. */
  readonly onProgress: (progress: RotationProgress) => void
}

/**
 * Seals every stored secret with the active key: online, in batches, and as often as wanted, since what is done already is
 * passed over. A value that somebody changed meanwhile is left to them: they sealed it themselves.
 */
export async function rotateKeys(deps: Deps): Promise<RotationProgress[]> {
  const totals: RotationProgress[] = []
  for (const column of deps.store.columns) totals.push(await rotateColumn(deps, column))
  return totals
}

async function rotateColumn(deps: Deps, place: SealedColumn): Promise<RotationProgress> {
  const { store, keyring, batchSize, onProgress } = deps
  let progress: RotationProgress = { ...place, resealed: 0, unreadable: 0 }
  let afterRowId: string | null = null
  for (;;) {
    const values: SealedValue[] = await store.read(place, {
      exceptKid: keyring.activeKid,
      afterRowId,
      limit: batchSize,
    })
    const last = values.at(-1)
    if (last === undefined) return progress
    afterRowId = last.rowId
    const changes = values.flatMap((value) => {
      const fresh = reseal(deps.vault, place, value)
      return fresh === null ? [] : [{ rowId: value.rowId, sealed: value.sealed, fresh }]
    })
    progress = {
      ...place,
      resealed: progress.resealed + (await store.replace(place, changes)),
      unreadable: progress.unreadable + values.length - changes.length,
    }
    onProgress(progress)
  }
}

/** Null when the value does not open: then nothing must take its place. */
function reseal(
  vault: Vault,
  { table, column }: SealedColumn,
  { rowId, tenantId, sealed }: SealedValue,
): string | null {
  const place = { table, column, rowId, tenantId }
  try {
    return vault.seal(vault.open(sealed, place), place)
  } catch {
    return null
  }
}
