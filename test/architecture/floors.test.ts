import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { expect } from 'chai'
import { packageRoot } from '../../src/config/package-root.ts'
import { readHouse } from './house.ts'
import { type Module, parseModule } from './parse-module.ts'
import {
  floors,
  knownRooms,
  length,
  names,
  noCallsThroughServers,
  noDefaultExport,
  type Rule,
  singleReader,
  singleReaders,
} from './rules.ts'

const root = packageRoot()
const house = readHouse(readFileSync(join(root, 'docs', 'architecture.md'), 'utf8'))

/** By Prisma, and from the OpenAPI document: nobody reads it, and nobody but its folder may import it. */
const generated = /^src\/(storage|client)\/generated\//
/** Data tables that may be longer than a file of code. */
const longTables: readonly string[] = []

function readModules(): Module[] {
  const files = ['src', 'workers'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .map((entry) => join(entry.parentPath, entry.name)),
  )
  return files
    .map((file) => ({ file, path: relative(root, file).split(sep).join('/') }))
    .filter(({ path }) => !generated.test(path))
    .map(({ file, path }) => parseModule(path, readFileSync(file, 'utf8')))
}

type Example = readonly [path: string, source: string]
type Case = {
  readonly title: string
  readonly rule: Rule
  /** Negative control: each of these must be complained about. */
  readonly breaks: readonly Example[]
  /** And none of these. */
  readonly keeps: readonly Example[]
}

const floorRule = floors(house)

const cases: readonly Case[] = [
  {
    title: 'every folder has its floor in docs/architecture.md',
    rule: knownRooms(house),
    breaks: [['src/billing/invoice.ts', '']],
    keeps: [
      ['src/kernel/id.ts', ''],
      ['workers/sweep.ts', ''],
      ['src/app.ts', ''],
    ],
  },
  {
    title: 'a subject imports only from lower floors',
    rule: floorRule,
    breaks: [
      ['src/kernel/a.ts', `import { b } from '../config/b.ts'`],
      ['src/audit/a.ts', `import { b } from '../access/b.ts'`],
      ['src/connectors/a.ts', `import type { B } from '../connections/b.ts'`],
      ['src/connectors/a.ts', `export { b } from '../connections/b.ts'`],
      ['src/connectors/a.ts', `export type { B } from '../connections/b.ts'`],
      ['src/connectors/a.ts', `export * from '../connections/b.ts'`],
      ['src/connectors/a.ts', `const b = await import('../connections/b.ts')`],
      ['src/connectors/a.ts', `type B = import('../connections/b.ts').B`],
      ['src/connectors/a.ts', `import '../connections/b.ts'`],
      ['src/connectors/a.ts', `const b = require('../connections/b.ts')`],
      ['src/connections/a.ts', `import { b } from '../storage/b.ts'`],
      ['src/connections/a.ts', `import type { B } from '../http/b.ts'`],
      ['src/proxy/a.ts', `import { b } from '../app.ts'`],
      ['src/connections/a.ts', `import { b } from '../webhooks/b.ts'`],
      ['src/webhooks/a.ts', `import { b } from '../doctor/b.ts'`],
    ],
    keeps: [
      ['src/connections/a.ts', `import { b } from '../connectors/b.ts'\nimport { c } from './c.ts'`],
      ['src/webhooks/a.ts', `import { b } from '../connectors/b.ts'`],
      ['src/proxy/a.ts', `import { b } from '../kernel/b.ts'\nimport type { C } from '../connections/c.ts'`],
    ],
  },
  {
    title: 'inward edges import subjects, never storage',
    rule: floorRule,
    breaks: [
      ['src/http/routes/a.ts', `import { b } from '../../storage/b.ts'`],
      ['src/http/a.ts', `import type { B } from '../storage/b.ts'`],
      ['src/http/a.ts', `import { b } from '../queue/b.ts'`],
      ['workers/refresh.ts', `import { b } from '../src/storage/b.ts'`],
      ['workers/refresh.ts', `import { b } from '../src/http/b.ts'`],
    ],
    keeps: [
      ['src/http/routes/a.ts', `import { b } from '../../connections/b.ts'\nimport { c } from '../../proxy/c.ts'`],
      ['workers/refresh.ts', `import { b } from '../src/connections/b.ts'\nimport { j } from '../src/queue/jobs.ts'`],
      ['workers/main.ts', `import { b } from '../src/storage/b.ts'\nimport { c } from '../src/app.ts'`],
    ],
  },
  {
    title: 'outward edges import kernel, vault and types of ports',
    rule: floorRule,
    breaks: [
      ['src/storage/a.ts', `import { b } from '../connections/b.ts'`],
      ['src/storage/a.ts', `import { type B, c } from '../connections/b.ts'`],
      ['src/storage/a.ts', `import { packageRoot } from '../config/package-root.ts'`],
      ['src/storage/a.ts', `import type { B } from '../queue/b.ts'`],
      ['src/queue/a.ts', `import type { B } from '../http/b.ts'`],
    ],
    keeps: [
      ['src/storage/a.ts', `import type { B } from '../connections/store.ts'\nimport { c } from '../vault/c.ts'`],
      [
        'src/queue/a.ts',
        `import { type B, type C } from '../connections/store.ts'\nimport { d } from '../kernel/d.ts'`,
      ],
    ],
  },
  {
    title: 'src never imports workers, tests or scripts',
    rule: floorRule,
    breaks: [
      ['src/app.ts', `import { a } from '../workers/a.ts'`],
      ['src/cli/a.ts', `const b = await import('../../workers/main.ts')`],
      ['src/cli/a.ts', `import { b } from '../../test/support/b.ts'`],
      ['src/cli/a.ts', `import b from '../../package.json'`],
    ],
    keeps: [['src/cli/a.ts', `import { b } from '../app.ts'\nimport { c } from '../storage/c.ts'`]],
  },
  {
    title: 'the sandbox is a stranger',
    rule: floorRule,
    breaks: [
      ['src/sandbox/a.ts', `import { b } from '../http/b.ts'`],
      ['src/sandbox/a.ts', `import type { B } from '../config/b.ts'`],
      ['src/app.ts', `import { b } from '../sandbox/b.ts'`],
      ['src/http/a.ts', `import type { B } from '../sandbox/b.ts'`],
    ],
    keeps: [
      ['src/sandbox/a.ts', `import { b } from '../kernel/b.ts'\nimport { c } from './c.ts'`],
      ['src/cli/a.ts', `import { b } from '../sandbox/b.ts'`],
    ],
  },
  {
    title: "the client is for other people's programs",
    rule: floorRule,
    breaks: [['src/client/a.ts', `import type { B } from '../kernel/b.ts'`]],
    keeps: [
      ['src/client/a.ts', `import type { b } from './generated/b.ts'`],
      ['src/cli/a.ts', `import { b } from '../client/b.ts'`],
    ],
  },
  ...singleReaders.map(
    (reader): Case => ({
      title: `only its owner touches ${reader.what}`,
      rule: singleReader(reader),
      ...readerExamples(reader.what),
    }),
  ),
  {
    title: 'only egress calls out through node:http and node:net',
    rule: noCallsThroughServers,
    breaks: [
      ['src/proxy/a.ts', `import { request } from 'node:http'`],
      ['src/proxy/a.ts', `import http from 'node:http'`],
      ['src/proxy/a.ts', `import * as net from 'net'`],
      ['src/upstream/a.ts', `const { connect } = await import('node:net')`],
    ],
    keeps: [
      ['src/proxy/a.ts', `import { STATUS_CODES, type IncomingMessage } from 'node:http'`],
      ['src/proxy/a.ts', `import type { Socket } from 'node:net'`],
      ['src/egress/a.ts', `import { connect } from 'node:net'`],
    ],
  },
  {
    title: 'names say what is inside',
    rule: names,
    breaks: [
      ['src/utils/a.ts', ''],
      ['src/http/helpers.ts', ''],
      ['src/http/index.ts', ''],
      ['src/connections/types.ts', ''],
      ['src/connections/connectionStore.ts', ''],
    ],
    keeps: [
      ['src/connections/refresh-connection.ts', ''],
      ['src/sandbox/a-lib.d.ts', ''],
    ],
  },
  {
    title: 'there is no default export',
    rule: noDefaultExport,
    breaks: [
      ['src/http/a.ts', 'export default 1'],
      ['src/http/a.ts', 'const a = 1\nexport { a as default }'],
      ['src/http/a.ts', `export { default } from './b.ts'`],
    ],
    keeps: [['src/http/a.ts', 'export const a = 1']],
  },
  {
    title: 'no file is longer than 400 lines',
    rule: length(longTables),
    breaks: [['src/http/a.ts', '\n'.repeat(401)]],
    keeps: [['src/http/a.ts', '\n'.repeat(400)]],
  },
]

function readerExamples(what: string): Pick<Case, 'breaks' | 'keeps'> {
  const examples: Record<string, { breaks: Example[]; keeps: Example[] }> = {
    'process.env': {
      breaks: [
        ['src/http/a.ts', `const port = process.env['PORT']`],
        ['src/http/a.ts', 'const { env } = process'],
        ['src/http/a.ts', `import { env } from 'node:process'`],
      ],
      keeps: [
        ['src/config/a.ts', 'process.env.PORT'],
        ['src/cli/a.ts', 'process.env.PORT'],
        ['src/http/a.ts', 'process.pid; settings.env'],
      ],
    },
    'the time': {
      breaks: [
        ['src/proxy/a.ts', 'const now = Date.now()'],
        ['src/proxy/a.ts', 'const now = new Date()'],
      ],
      keeps: [
        ['src/kernel/clock.ts', 'const now = Date.now()'],
        ['src/proxy/a.ts', 'const now = new Date(0); clock.now(); performance.now()'],
      ],
    },
    'global fetch': {
      breaks: [
        ['src/upstream/a.ts', `await fetch('http://a')`],
        ['src/upstream/a.ts', 'const get = { fetch }'],
        ['src/upstream/a.ts', 'globalThis.fetch'],
      ],
      keeps: [
        ['src/egress/a.ts', `await fetch('http://a')`],
        ['src/upstream/a.ts', `export const a = ({ fetch }) => fetch('http://a')`],
        ['src/upstream/a.ts', `export type A = { fetch(url: string): void }; b.fetch('http://a')`],
      ],
    },
    undici: packageExamples('undici', 'src/proxy/a.ts', 'src/egress/a.ts'),
    'outgoing connections': packageExamples('node:tls', 'src/proxy/a.ts', 'src/egress/a.ts'),
    PostgreSQL: packageExamples('@prisma/adapter-pg', 'src/http/a.ts', 'src/storage/a.ts'),
    BullMQ: packageExamples('bullmq', 'src/connections/a.ts', 'workers/refresh.ts'),
    Koa: packageExamples('@koa/router', 'src/proxy/a.ts', 'src/http/a.ts'),
    'prom-client': packageExamples('prom-client', 'src/http/a.ts', 'src/metrics/a.ts'),
    'oidc-provider': packageExamples('oidc-provider/lib/x.js', 'src/http/a.ts', 'src/sandbox/a.ts'),
  }
  return examples[what] ?? { breaks: [], keeps: [] }
}

function packageExamples(name: string, stranger: string, owner: string): { breaks: Example[]; keeps: Example[] } {
  return {
    breaks: [
      [stranger, `import { a } from '${name}'`],
      [stranger, `import type { A } from '${name}'`],
      [stranger, `const a = await import('${name}')`],
    ],
    keeps: [
      [owner, `import { a } from '${name}'`],
      [stranger, `import { a } from './${name}.ts'`],
    ],
  }
}

describe('the architecture', () => {
  let modules: Module[]

  before(() => {
    modules = readModules()
  })

  it('is read whole: all rooms of the table, and every module with its imports', () => {
    expect(modules.length).to.be.greaterThan(100)
    expect(modules.flatMap(({ imports }) => imports).length).to.be.greaterThan(400)
    expect([...house.keys()]).to.include.members(['kernel', 'connections', 'http', 'workers', 'storage', 'cli'])
  })

  for (const { title, rule, breaks, keeps } of cases) {
    describe(title, () => {
      // @guards test/architecture/rules.ts:singleReader
      const row = /undici|fetch|outgoing|only egress/.test(title) ? 'SS-01: ' : ''
      it(`${row}in every module`, () => {
        const problems = modules.flatMap((module) => rule(module))
        expect(problems, `\n${problems.join('\n')}\n`).to.deep.equal([])
      })

      it(`${row}and a module that breaks the rule is found`, () => {
        expect(breaks, 'negative controls').not.to.deep.equal([])
        const missed = breaks.filter(([path, source]) => rule(parseModule(path, source)).length === 0)
        const blamed = keeps.filter(([path, source]) => rule(parseModule(path, source)).length > 0)
        expect({ missed, blamed }).to.deep.equal({ missed: [], blamed: [] })
      })
    })
  }
})
