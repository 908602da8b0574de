import type { Command } from 'commander'
import { readSettings } from '../config/settings.ts'
import { createLogger } from '../log/logger.ts'
import { findDatabase } from '../storage/find-database.ts'

export function addMigrateCommand(program: Command): void {
  program
    .command('migrate')
    .description('bring the database to the state that this version needs')
    .action(async () => {
      const settings = readSettings(process.env)
      const databaseUrl = await findDatabase(settings.DATABASE_URL, settings.DATA_DIR)
      if (databaseUrl === null) throw new Error('No database. Set DATABASE_URL.')
      const { prepareDatabase } = await import('../process/prepare-database.ts')
      await prepareDatabase(databaseUrl, { MIGRATE: 'auto' }, createLogger('info'))
      console.log('The database is up to date.')
    })
}
