import type { AuditEntry } from '../client/client.ts'
import { readSettings } from '../config/settings.ts'
import { present } from '../http/fields.ts'
import { representAuditEntry } from '../http/representations.ts'
import { createPostgresAuditStore } from '../storage/audit-store.ts'
import { openPool } from '../storage/prisma-client.ts'
import type { FilterOptions } from './audit.ts'
import { requireDatabase } from './require-database.ts'

/**
 * Entries of every tenant and of the installation itself, newest first, read from its database: for operators.
 *
 * @throws Error with a sentence for people when there is no database
 */
export async function readInstallationAudit(
  { target: targetId, since, until, ...rest }: FilterOptions,
  limit: number,
): Promise<{ items: AuditEntry[]; hasMore: boolean }> {
  const pool = openPool({ url: await requireDatabase(readSettings(process.env)), poolSize: 2 })
  try {
    const filter = present({ targetId, since: timeOf(since), until: timeOf(until), ...rest })
    const { items, hasMore } = await createPostgresAuditStore(pool).list('installation', { ...filter, limit })
    return { items: items.map(representAuditEntry), hasMore }
  } finally {
    await pool.end()
  }
}

const timeOf = (text: string | undefined) => (text === undefined ? undefined : new Date(text))
