#!/usr/bin/env node
import { readFile } from 'node:fs/promises'
// A drop-in for Prisma's native schema-engine: the same JSON-RPC over stdio, on top of
// @prisma/schema-engine-wasm (shipped inside its npm package) and @prisma/adapter-pg.
// Use: PRISMA_SCHEMA_ENGINE_BINARY=tools/schema-engine.mjs prisma migrate ...
import { createRequire } from 'node:module'
import path from 'node:path'
import readline from 'node:readline'
import { parseArgs } from 'node:util'
import { PrismaPg } from '@prisma/adapter-pg'
import { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } from '@prisma/driver-adapter-utils'
import * as glue from '@prisma/schema-engine-wasm/schema_engine_bg'
import pg from 'pg'

const require = createRequire(import.meta.url)
if (process.argv.includes('--version')) {
  console.log(
    'schema-engine-wasm ' + require.resolve('@prisma/schema-engine-wasm/schema_engine_bg').match(/./) && 'wasm',
  )
  process.exit(0)
}
const { values, positionals } = parseArgs({
  allowPositionals: true,
  strict: false,
  options: {
    datamodels: { type: 'string', multiple: true, short: 'd' },
    datasource: { type: 'string' },
    'enabled-preview-features': { type: 'string' },
    'extension-types': { type: 'string' },
  },
})
const ds = values.datasource ? JSON.parse(values.datasource) : {}
const logErr = (code, message) =>
  process.stderr.write(
    '\n' + JSON.stringify({ level: 'ERROR', target: 'schema_engine::logger', fields: { error_code: code, message } }),
  )
const dbName = (u) => decodeURIComponent(new URL(u).pathname.slice(1)) || 'postgres'
const admin = async (u, f) => {
  const url = new URL(u)
  url.pathname = '/postgres'
  const c = new pg.Client(url.toString())
  await c.connect()
  try {
    return await f(c)
  } finally {
    await c.end()
  }
}
if (positionals[0] === 'cli') {
  const cmd = positionals[1]
  try {
    if (cmd === 'can-connect-to-database') {
      const c = new pg.Client(ds.url)
      await c.connect()
      await c.end()
    } else if (cmd === 'create-database')
      await admin(ds.url, (c) => c.query(`CREATE DATABASE ${c.escapeIdentifier(dbName(ds.url))}`))
    else if (cmd === 'drop-database') {
      await admin(ds.url, (c) => c.query(`DROP DATABASE ${c.escapeIdentifier(dbName(ds.url))}`))
      process.stderr.write('The database was successfully dropped')
    }
    process.exit(0)
  } catch (e) {
    logErr(
      e.code === '3D000' ? 'P1003' : e.code === 'ECONNREFUSED' || e.code === 'ENOENT' ? 'P1001' : 'P1000',
      e.message,
    )
    process.exit(1)
  }
}
globalThis.PRISMA_WASM_PANIC_REGISTRY = {
  message: '',
  set_message(m) {
    this.message = m
    process.stderr.write(m + '\n')
  },
}
const wasmFile = path.join(
  path.dirname(require.resolve('@prisma/schema-engine-wasm/schema_engine_bg')),
  'schema_engine_bg.wasm',
)
const inst = new WebAssembly.Instance(new WebAssembly.Module(await readFile(wasmFile)), {
  './schema_engine_bg.js': glue,
})
glue.__wbg_set_wasm(inst.exports)
inst.exports.__wbindgen_start()
const datamodels = await Promise.all((values.datamodels ?? []).map(async (p) => [p, await readFile(p, 'utf8')]))
// never connectionString: PrismaPg.connectToShadowDb() overrides `database`, which pg ignores beside a connectionString
const { parse } = await import('pg-connection-string')
const cfg = (u) => {
  const { host, port, user, password, database, ssl } = parse(u)
  return { host, port: port ? Number(port) : undefined, user, password, database, ssl }
}
const base = new PrismaPg({ ...cfg(ds.url ?? 'postgresql://unused@127.0.0.1:1/unused'), max: 1 })
// adapter-pg 7.10 was not made for the schema engine: it has no mapping for "char" (OID 18, in every catalog query)
function patch(adapter) {
  const io = adapter.performIO.bind(adapter)
  let chars = []
  adapter.performIO = async (q) => {
    const r = await io(q)
    chars = []
    for (const [i, f] of (Array.isArray(r) ? [] : (r.fields ?? [])).entries())
      if (f.dataTypeID === 18) {
        f.dataTypeID = 1042
        chars.push(i)
      }
    return r
  }
  const raw = adapter.queryRaw.bind(adapter)
  adapter.queryRaw = async (q) => {
    const r = await raw(q)
    for (const i of chars) r.columnTypes[i] = ColumnTypeEnum.Character
    return r
  }
  return adapter
}
class Factory {
  provider = 'postgres'
  adapterName = base.adapterName
  async connect() {
    return patch(await base.connect())
  }
  async connectToShadowDb() {
    if (ds.shadowDatabaseUrl) return patch(await new PrismaPg(cfg(ds.shadowDatabaseUrl)).connect())
    const main = await base.connect()
    const database = `prisma_migrate_shadow_db_${crypto.randomUUID()}`
    await main.executeScript(`CREATE DATABASE "${database}"`)
    const shadow = patch(await new PrismaPg({ ...base.config, database }).connect())
    const end = shadow.dispose.bind(shadow)
    shadow.dispose = async () => {
      await end()
      await main.executeScript(`DROP DATABASE "${database}" WITH (FORCE)`)
      await main.dispose()
    }
    return shadow
  }
}
const factory = bindMigrationAwareSqlAdapterFactory(new Factory())
let engine
const getEngine = async (params) =>
  (engine ??= await glue.SchemaEngine.new(
    {
      datamodels: datamodels.length
        ? datamodels
        : ((params?.to?.files ?? params?.from?.files)?.map((f) => [f.path, f.content]) ?? [
            ['schema.prisma', 'datasource db {\n provider = "postgresql"\n}\n'],
          ]),
    },
    () => {},
    factory,
  ))
const reply = (o) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...o }) + '\n')
const rename = { getDatabaseVersion: 'version' }
let chain = Promise.resolve()
readline
  .createInterface({ input: process.stdin })
  .on('line', (line) => {
    const msg = JSON.parse(line)
    if (!msg.method) return
    chain = chain.then(async () => {
      try {
        const result = await (await getEngine(msg.params))[rename[msg.method] ?? msg.method](msg.params)
        if (msg.method === 'diff') {
          if (result.stdout)
            reply({ id: 1e6 + msg.id, method: 'print', params: { content: result.stdout.replace(/\n$/, '') } })
          reply({ id: msg.id, result: { exitCode: result.exitCode } })
        } else reply({ id: msg.id, result: result ?? null })
      } catch (e) {
        const driver =
          e.cause !== undefined && typeof e.cause === 'number'
            ? factory.errorRegistry.consumeError(e.cause)?.error
            : undefined
        reply({
          id: msg.id,
          error: {
            code: 4466,
            message: 'An error happened. Check the data field for details.',
            data: {
              is_panic: false,
              message: driver?.message ?? e.message ?? String(e),
              ...(e.code ? { error_code: e.code } : {}),
            },
          },
        })
      }
    })
  })
  .on('close', () => chain.then(() => process.exit(0)))
