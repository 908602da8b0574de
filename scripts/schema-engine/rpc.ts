import { createInterface } from 'node:readline'
import { z } from 'zod'
import { emptySchema, type OpenedSchemaEngine, openSchemaEngine } from '../../src/storage/schema-engine.ts'
import { createEngineAdapter } from './adapter.ts'
import { offlineAdapter } from './offline-adapter.ts'

export type EngineOptions = {
  readonly datamodels: [path: string, content: string][]
  readonly url?: string | undefined
  readonly shadowDatabaseUrl?: string | undefined
}

const request = z.object({ id: z.number(), method: z.string(), params: z.unknown() })
const schemaFiles = z.object({ files: z.array(z.object({ path: z.string(), content: z.string() })) })
const diffParams = z.object({ to: z.unknown(), from: z.unknown() })
const diffResult = z.object({ exitCode: z.number(), stdout: z.string().nullish() })

// Sides of a difference that are read from the request itself.
const text = z.object({ tag: z.enum(['empty', 'schemaDatamodel']) })
// Prisma's CLI tells requests of ours from answers by this being no id of its own.
const firstOwnId = 1_000_000
// https://github.com/prisma/prisma-engines: the one code for errors that are told in `data`
const errorCode = 4466

function send(message: object): void {
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
}

/** Answers JSON-RPC requests, one a line, one after the other, until standard input ends. */
export async function serveRpc(options: EngineOptions): Promise<void> {
  let opened: OpenedSchemaEngine | undefined
  for await (const line of createInterface({ input: process.stdin })) {
    const parsed = request.safeParse(JSON.parse(line))
    if (!parsed.success) continue
    const { id, method, params } = parsed.data
    try {
      opened ??= await open(options, params)
      send({ id, result: await call(opened, method, params, id) })
    } catch (error) {
      send({ id, error: describe(error, opened) })
    }
  }
}

function open({ datamodels, url, shadowDatabaseUrl }: EngineOptions, params: unknown): Promise<OpenedSchemaEngine> {
  const diff = diffParams.safeParse(params)
  const isOffline = diff.success && text.safeParse(diff.data.from).success && text.safeParse(diff.data.to).success
  const adapter = isOffline || url === undefined ? offlineAdapter : createEngineAdapter(url, shadowDatabaseUrl)
  return openSchemaEngine(datamodels.length > 0 ? datamodels : datamodelsOf(params), adapter)
}

/** `migrate diff` names its schema in the request, not on the command line. */
function datamodelsOf(params: unknown): [string, string][] {
  const diff = diffParams.safeParse(params)
  for (const side of diff.success ? [diff.data.to, diff.data.from] : []) {
    const schema = schemaFiles.safeParse(side)
    if (schema.success) return schema.data.files.map(({ path, content }) => [path, content])
  }
  return [emptySchema]
}

async function call({ engine }: OpenedSchemaEngine, method: string, params: unknown, id: number): Promise<unknown> {
  const name = method === 'getDatabaseVersion' ? 'version' : method
  const implementation: unknown = Reflect.get(engine, name)
  if (typeof implementation !== 'function') throw new Error(`the schema engine has no method ${method}`)
  const result: unknown = await implementation.call(engine, params)
  if (method !== 'diff') return result ?? null
  // The native engine has the CLI print the difference and answers the rest.
  const { stdout, exitCode } = diffResult.parse(result)
  if (stdout) send({ id: firstOwnId + id, method: 'print', params: { content: stdout.replace(/\n$/, '') } })
  return { exitCode }
}

function describe(error: unknown, opened: OpenedSchemaEngine | undefined): object {
  const facts = error instanceof Error ? error : new Error(String(error))
  const known = typeof facts.cause === 'number' ? opened?.adapter.errorRegistry.consumeError(facts.cause) : undefined
  const cause = known?.error instanceof Error ? known.error : facts
  return {
    code: errorCode,
    message: 'An error happened. Check the data field for details.',
    data: { is_panic: false, message: cause.message, ...('code' in facts ? { error_code: facts.code } : {}) },
  }
}
