import pg from 'pg'
import { splitDatabaseUrl, sqlState, withConnection } from '../../src/storage/ensure-database.ts'

const commands: Record<string, (url: string) => Promise<void>> = {
  'can-connect-to-database': (url) => withConnection(url, async () => {}),
  'create-database': (url) => administer(url, 'CREATE DATABASE'),
  'drop-database': async (url) => {
    await administer(url, 'DROP DATABASE')
    process.stderr.write('The database was successfully dropped')
  },
}

/**
 * The `cli` commands of the schema engine. A failure is told as Prisma's CLI expects it: one line of JSON on standard
 * error with one of Prisma's codes (https://www.prisma.io/docs/orm/reference/error-reference), and exit code 1.
 */
export async function runDatabaseCommand(name: string, url: string): Promise<number> {
  const command = commands[name]
  if (command === undefined) return fail('P1000', `unknown command ${name}`)
  try {
    await command(url)
    return 0
  } catch (error) {
    return fail(prismaCode(error), error instanceof Error ? error.message : String(error))
  }
}

async function administer(url: string, statement: string): Promise<void> {
  const { name, maintenanceUrl } = splitDatabaseUrl(url)
  await withConnection(maintenanceUrl, (client) => client.query(`${statement} ${pg.escapeIdentifier(name)}`))
}

function prismaCode(error: unknown): string {
  const state = sqlState(error)
  if (state === '3D000') return 'P1003'
  if (state === '42P04') return 'P1009'
  return state === undefined ? 'P1001' : 'P1000'
}

function fail(code: string, message: string): number {
  const fields = { error_code: code, message }
  process.stderr.write(`\n${JSON.stringify({ level: 'ERROR', target: 'schema_engine::logger', fields })}\n`)
  return 1
}
