import type { Command } from 'commander'
import { readSettings } from '../config/settings.ts'
import { createLogger } from '../log/logger.ts'
import { findDatabase } from '../storage/find-database.ts'

export function addMigrateCommand(program: Command): void {
  program
    .command('migrate')
    .description('bring the database to the state that this version needs')
    .option('--json', 'print JSON, and no log')
    .action(async ({ json = false }: { json?: boolean }) => {
      const settings = readSettings(process.env)
      const databaseUrl = await findDatabase(settings.DATABASE_URL, settings.DATA_DIR)
      if (databaseUrl === null) throw new Error('No database. Set DATABASE_URL.')
      const { prepareDatabase } = await import('../process/prepare-database.ts')
      await prepareDatabase(databaseUrl, { MIGRATE: 'auto' }, createLogger(json ? 'silent' : 'info'))
      console.log(json ? JSON.stringify({ up_to_date: true }) : 'The database is up to date.')
    })
}
