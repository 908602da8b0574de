import { fileURLToPath } from 'node:url'
import { defineConfig } from 'prisma/config'

// The official CLI would download a native schema engine; this shim runs the WASM build that npm already delivered.
process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= fileURLToPath(new URL('./scripts/schema-engine.mjs', import.meta.url))

export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  datasource: { url: process.env.DATABASE_URL ?? 'postgresql://patchbay@localhost/patchbay' },
})
