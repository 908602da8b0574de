import { createRequire } from 'node:module'

type Migrations = Pick<
  typeof import('bullmq'),
  'assertSchemaCompatibility' | 'LATEST_SCHEMA_VERSION' | 'runMigrations' | 'SchemaMigrationRequiredError'
>

// The package's front door loads all of it, Redis client included, which takes ten times as long, at every start.
const load = createRequire(import.meta.url)
const { assertSchemaCompatibility, runMigrations, SchemaMigrationRequiredError } = load(
  'bullmq/dist/cjs/postgres/migrator.js',
) as Migrations
const { LATEST_SCHEMA_VERSION } = load('bullmq/dist/cjs/postgres/migrations/index.js') as Migrations

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
