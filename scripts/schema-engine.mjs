#!/usr/bin/env node
// Stands in for Prisma's native schema engine, which its CLI would download: prisma.config.ts points here.
// Same command line, same JSON-RPC on standard input and output; inside, the WebAssembly build that npm delivers.
import { register } from 'tsx/esm/api'

register()
const { runSchemaEngine } = await import('./schema-engine/run.ts')
process.exitCode = await runSchemaEngine(process.argv.slice(2))
