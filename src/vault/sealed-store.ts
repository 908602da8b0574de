/** A column that holds sealed values: one of those marked `@secret` in prisma/schema.prisma. */
export type SealedColumn = { readonly table: string; readonly column: string }

/** A sealed value with what else is part of its place. */
export type SealedValue = { readonly rowId: string; readonly tenantId: string; readonly sealed: string }

/** How many values of a column are sealed with a key, and one of them. */
export type KeyUse = { readonly kid: string; readonly count: number; readonly sample: SealedValue }

/** Every sealed value of the installation, column by column. */
export type SealedStore = {
  readonly columns: readonly SealedColumn[]
  usesOf(column: SealedColumn): Promise<KeyUse[]>
  /** Values that are sealed with another key than `exceptKid`, in the order of their rows' ids, after `afterRowId`. */
  read(
    column: SealedColumn,
    query: { readonly exceptKid: string; readonly afterRowId: string | null; readonly limit: number },
  ): Promise<SealedValue[]>
  /** Replaces values that are still what they were. Returns how many were. */
  replace(
    column: SealedColumn,
    changes: readonly { readonly rowId: string; readonly sealed: string; readonly fresh: string }[],
  ): Promise<number>
}
