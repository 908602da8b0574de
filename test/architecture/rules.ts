import { type House, type Level, levelOf, roomOf } from './house.ts'
import type { Ambient, Import, Module } from './parse-module.ts'

/** Says what is wrong with a module, one sentence each; nothing when all is well. */
export type Rule = (module: Module) => string[]

const maxLines = 400
const forbiddenNames = /^(utils?|helpers?|common|shared|lib|libs|misc|services?|types|index)(\.ts)?$/
const kebabCase = /^[a-z0-9]+(-[a-z0-9]+)*(\.d)?(\.ts)?$/

const pairs = (module: Module, wrong: (imported: Import) => string | undefined): string[] =>
  module.imports.flatMap((imported) => {
    const reason = wrong(imported)
    return reason === undefined ? [] : [`${module.path} -> ${imported.target}: ${reason}`]
  })

/** Every folder stands in the table of docs/architecture.md. */
export function knownRooms(house: House): Rule {
  return ({ path }) =>
    levelOf(house, roomOf(path)) === undefined ? [`${path}: docs/architecture.md has no floor for this folder`] : []
}

/** Who may import whom. */
export function floors(house: House): Rule {
  return (module) => {
    const from = roomOf(module.path)
    return pairs(module, (imported) => {
      const to = roomOf(imported.target)
      if (!imported.isFile || to === from) return undefined
      if (!/^(src|workers)\//.test(imported.target)) return 'the program imports only from src and workers'
      if (from !== 'workers' && to === 'workers') return 'src never imports workers'
      if (from === 'sandbox') return to === 'kernel' ? undefined : 'the sandbox is a stranger: it knows only kernel'
      if (from === 'client') return "the client runs in other people's programs: it knows nothing of ours"
      if (to === 'sandbox') return from === 'cli' ? undefined : 'only cli knows the sandbox'
      return judge(
        { room: from, level: isWiring(module.path) ? 'top' : levelOf(house, from) },
        { room: to, level: levelOf(house, to) },
        imported.isTypeOnly,
      )
    })
  }
}

/** `workers/main.ts` and what it starts are a composition root like those in `src/`. */
function isWiring(path: string): boolean {
  return path === 'workers/main.ts' || path === 'workers/start-worker.ts'
}

type Place = { readonly room: string; readonly level: Level | undefined }

function judge(from: Place, to: Place, isTypeOnly: boolean): string | undefined {
  if (from.level === 'top') return undefined
  if (to.level === 'top') return 'nothing imports what stands on top'
  if (typeof from.level === 'number') {
    if (typeof to.level !== 'number') return 'a subject imports no edge'
    return to.level < from.level
      ? undefined
      : `floor ${from.level} imports only from lower floors, not from ${to.level}`
  }
  if (from.level === 'in') {
    if (typeof to.level === 'number') return undefined
    return from.room === 'workers' && to.room === 'queue' ? undefined : 'an inward edge imports subjects only'
  }
  if (to.room === 'kernel' || to.room === 'vault') return undefined
  return isTypeOnly && typeof to.level === 'number'
    ? undefined
    : 'an outward edge imports kernel, vault and types of ports only'
}

/** One thing of the outside world, and the only places that touch it. */
export type SingleReader = {
  readonly what: string
  readonly packages?: RegExp
  readonly ambient?: Ambient
  readonly owner: RegExp
  /** Further places, each with its reason. */
  readonly also?: readonly { readonly path: RegExp; readonly because: string }[]
}

const stranger = { path: /^src\/sandbox\//, because: 'the sandbox is a stranger with a server of its own' }

export const singleReaders: readonly SingleReader[] = [
  {
    what: 'process.env',
    ambient: 'process.env',
    owner: /^src\/config\//,
    also: [{ path: /^(src\/cli\/|src\/server\.ts$|workers\/main\.ts$)/, because: 'entry points hand it over' }],
  },
  { what: 'the time', ambient: 'time', owner: /^src\/kernel\/clock\.ts$/ },
  { what: 'global fetch', ambient: 'fetch', owner: /^src\/egress\// },
  { what: 'undici', packages: /^undici(\/|$)/, owner: /^src\/egress\// },
  { what: 'outgoing connections', packages: /^(node:)?(https|http2|tls|dns)(\/|$)/, owner: /^src\/egress\// },
  { what: 'PostgreSQL', packages: /^(@prisma\/|prisma(\/|$)|pg(\/|$))/, owner: /^src\/storage\// },
  { what: 'BullMQ', packages: /^(bullmq|ioredis)(\/|$)/, owner: /^(src\/queue|workers)\// },
  { what: 'Koa', packages: /^(koa|koa-[^/]+|@koa\/[^/]+)(\/|$)/, owner: /^src\/http\//, also: [stranger] },
  { what: 'prom-client', packages: /^prom-client(\/|$)/, owner: /^src\/metrics\// },
  { what: 'oidc-provider', packages: /^oidc-provider(\/|$)/, owner: /^src\/authorization-server\//, also: [stranger] },
]

/** Only its owner touches a thing of the outside world. */
export function singleReader({ what, packages, ambient, owner, also = [] }: SingleReader): Rule {
  return (module) => {
    if ([owner, ...also.map(({ path }) => path)].some((path) => path.test(module.path))) return []
    const isAmbient = ambient !== undefined && module.ambient.has(ambient)
    const imports = pairs(module, ({ target, isFile }) =>
      !isFile && packages?.test(target) ? `${what} is touched only in ${owner.source}` : undefined,
    )
    return isAmbient ? [`${module.path} reads ${what}, which only ${owner.source} does`, ...imports] : imports
  }
}

/** `node:http` and `node:net` serve everywhere, but call out only in egress. */
export const noCallsThroughServers: Rule = (module) =>
  pairs(module, ({ target, isTypeOnly, names }) => {
    if (module.path.startsWith('src/egress/') || isTypeOnly || !/^(node:)?(http|net)$/.test(target)) return undefined
    const calling = names.filter((name) =>
      ['*', 'request', 'get', 'Agent', 'connect', 'createConnection', 'Socket'].includes(name),
    )
    return calling.length === 0 ? undefined : `${calling.join(', ')}: only egress calls out`
  })

/** No folder or file whose name says nothing; all in kebab-case. */
export const names: Rule = ({ path }) =>
  path.split('/').flatMap((part) => {
    if (forbiddenNames.test(part)) return [`${path}: "${part}" says nothing about what is inside`]
    return kebabCase.test(part) ? [] : [`${path}: "${part}" is not in kebab-case`]
  })

export const noDefaultExport: Rule = ({ path, hasDefaultExport }) =>
  hasDefaultExport ? [`${path}: a default export has a different name wherever it is imported`] : []

/** One file, one duty. */
export function length(longTables: readonly string[]): Rule {
  return ({ path, lines }) =>
    lines > maxLines && !longTables.includes(path) ? [`${path}: ${lines} lines, ${maxLines} are allowed`] : []
}
