import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import {
  bindMigrationAwareSqlAdapterFactory,
  type ErrorCapturingSqlMigrationAwareDriverAdapterFactory,
  type SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils'
import type { SchemaEngine } from '@prisma/schema-engine-wasm/schema_engine_bg'

// Neither ES2023 nor @types/node 20 describes it; declaring the two calls spares us the whole DOM library.
declare const WebAssembly: {
  compile(bytes: Uint8Array): Promise<object>
  instantiate(module: object, imports: Record<string, Record<string, unknown>>): Promise<{ exports: WasmExports }>
}
const entryPoint = '__wbindgen_start'
type WasmExports = Record<string, unknown>
type Call = (...args: unknown[]) => unknown

/** A schema that says no more than which database it is for: enough to apply migrations. */
export const emptySchema: [path: string, content: string] = [
  'schema.prisma',
  'datasource db {\n  provider = "postgresql"\n}\n',
]

export type OpenedSchemaEngine = {
  readonly engine: SchemaEngine
  /** Where the engine leaves the driver's own errors. */
  readonly adapter: ErrorCapturingSqlMigrationAwareDriverAdapterFactory
}

type Glue = typeof import('@prisma/schema-engine-wasm/schema_engine_bg')
let loading: Promise<Glue> | undefined

/** Begins to load the engine, which takes about half a second, for whoever knows that it will be needed. */
export function preloadSchemaEngine(): void {
  loading ??= load()
  // whoever opens it then learns of a failure
  loading.catch(() => {})
}

/**
 * Opens Prisma's schema engine, the part that knows migrations, as WebAssembly: npm delivers it whole, where the
 * native one would be downloaded from elsewhere. The first call takes about half a second.
 *
 * Call `engine.free()` when done.
 */
export async function openSchemaEngine(
  datamodels: [path: string, content: string][],
  factory: SqlMigrationAwareDriverAdapterFactory,
): Promise<OpenedSchemaEngine> {
  // Once for the process: the package keeps its instance in a variable of its module, and a second one would get mixed up with the first.
  loading ??= load()
  const { SchemaEngine } = await loading
  const adapter = bindMigrationAwareSqlAdapterFactory(factory)
  return { engine: await SchemaEngine.new({ datamodels }, () => {}, adapter), adapter }
}

/** `@prisma/schema-engine-wasm` leaves the loading to bundlers, so it is done here. */
async function load(): Promise<Glue> {
  const glue = await import('@prisma/schema-engine-wasm/schema_engine_bg')
  const imports: Record<string, unknown> = { ...glue }
  for (const [name, value] of Object.entries(imports)) {
    if (name.startsWith('__wbg_setTimeout') && typeof value === 'function') imports[name] = withoutHold(value as Call)
  }
  const folder = dirname(createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm/schema_engine_bg'))
  const module = await WebAssembly.compile(await readFile(join(folder, 'schema_engine_bg.wasm')))
  const { exports } = await WebAssembly.instantiate(module, { './schema_engine_bg.js': imports })
  // Where the engine leaves its last words when it panics, before it throws.
  Object.assign(globalThis, {
    PRISMA_WASM_PANIC_REGISTRY: { set_message: (text: string) => process.stderr.write(text) },
  })
  glue.__wbg_set_wasm(exports)
  const start = exports[entryPoint]
  if (typeof start !== 'function') throw new Error('the schema engine has no entry point')
  start()
  return glue
}

/** The engine starts timers of ten seconds that nobody waits for; they must not keep the process. */
function withoutHold(setTimer: Call): Call {
  return (...args) => {
    const timer = setTimer(...args)
    if (typeof timer === 'object' && timer !== null && 'unref' in timer && typeof timer.unref === 'function') {
      timer.unref()
    }
    return timer
  }
}
