import { assertSchemaCompatibility, LATEST_SCHEMA_VERSION, runMigrations, SchemaMigrationRequiredError } from 'bullmq'

/** The PostgreSQL schema that BullMQ's tables live in. */
export const queueSchema = 'bullmq'

type Client = Parameters<typeof runMigrations>[0]

/**
 * BullMQ's own tables as a step of `storage/migrate.ts`. Their migrations come with the library and run in one
 * transaction; a schema that a newer BullMQ made is left alone as long as that one says that we may use it.
 */
export const queueMigration = {
  name: 'bullmq',
  isPending: async (client: Client): Promise<boolean> => {
    try {
      return (await assertSchemaCompatibility(client, queueSchema)) < LATEST_SCHEMA_VERSION
    } catch (error) {
      if (error instanceof SchemaMigrationRequiredError) return true
      throw error
    }
  },
  apply: async (client: Client): Promise<void> => {
    await runMigrations(client, queueSchema)
  },
}
