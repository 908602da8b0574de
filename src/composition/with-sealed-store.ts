import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../config/package-root.ts'
import type { Secret } from '../kernel/secret.ts'
import { withConnection } from '../storage/ensure-database.ts'
import { readSealedColumns } from '../storage/sealed-columns.ts'
import { createPostgresSealedStore } from '../storage/sealed-store.ts'
import type { SealedStore } from '../vault/sealed-store.ts'

/** Works on the sealed values of a database, over a connection of its own. */
export function withSealedStore<T>(databaseUrl: Secret, use: (store: SealedStore) => Promise<T>): Promise<T> {
  const columns = readSealedColumns(readFileSync(join(packageRoot(), 'prisma', 'schema.prisma'), 'utf8'))
  return withConnection(databaseUrl.reveal(), async (client) => {
    // A row that a refresh holds is waited for, but not for ever.
    await client.query("SET lock_timeout = '5s'")
    return use(createPostgresSealedStore(client, columns))
  })
}
