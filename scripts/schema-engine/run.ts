import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { runDatabaseCommand } from './database-command.ts'
import { serveRpc } from './rpc.ts'

const datasource = z.object({ url: z.string().optional(), shadowDatabaseUrl: z.string().optional() })

/** The engine's command line, as Prisma's CLI calls it. Returns the exit code. */
export async function runSchemaEngine(args: string[]): Promise<number> {
  if (args.includes('--version')) {
    console.log('schema-engine-cli (WebAssembly)')
    return 0
  }
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    strict: false,
    options: {
      datamodels: { type: 'string', multiple: true, short: 'd' },
      datasource: { type: 'string' },
      // Taken so that what follows them is not read as a command.
      'enabled-preview-features': { type: 'string' },
      'extension-types': { type: 'string' },
    },
  })
  const given = typeof values.datasource === 'string' ? values.datasource : '{}'
  const source = datasource.parse(JSON.parse(given))
  if (positionals[0] === 'cli') return runDatabaseCommand(positionals[1] ?? '', source.url ?? '')

  const paths = (values.datamodels ?? []).filter((path) => typeof path === 'string')
  const datamodels = await Promise.all(
    paths.map(async (path): Promise<[string, string]> => [path, await readFile(path, 'utf8')]),
  )
  await serveRpc({ datamodels, ...source })
  return 0
}
