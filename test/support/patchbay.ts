import { randomBytes, randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type App, createApp } from '../../src/app.ts'
import type { RefreshParts } from '../../src/composition/compose-refresh.ts'
import type { EgressParts } from '../../src/composition/outside.ts'
import { productVersion } from '../../src/config/product-version.ts'
import { readSettings, type Settings } from '../../src/config/settings.ts'
import { defaultTimings, type Timings } from '../../src/config/timings.ts'
import { type Clock, systemClock } from '../../src/kernel/clock.ts'
import type { PrincipalKind, Role, Scope } from '../../src/kernel/principal.ts'
import { Secret } from '../../src/kernel/secret.ts'
import { createLogger } from '../../src/log/logger.ts'
import { startHttpServer } from '../../src/process/http-server.ts'
import { openTracing } from '../../src/tracing/open-tracing.ts'
import { startCluster } from './cluster.ts'
import { onEachConnection } from './on-each-connection.ts'
import { createTestDatabase } from './test-database.ts'
import { freePorts } from './upstreams/free-ports.ts'
import { watchSecrets } from './watch-secrets.ts'

export type Answer = {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of every shape
  readonly body: any
  readonly text: string
}

export type Patchbay = {
  readonly url: string
  readonly databaseUrl: string
  readonly settings: Settings
  /** What its settings were read from: for a worker, or another process, on the same database. */
  readonly env: Readonly<Record<string, string>>
  readonly app: App
  /** What the process has logged so far. */
  readonly logs: readonly string[]
  /** An administrator's key: a service that manages what the tenant shares. */
  readonly admin: string
  createKey(key: {
    subject: string
    kind?: PrincipalKind
    role?: Role
    tenant?: string
    scopes?: Scope[]
    expiresAt?: Date
  }): Promise<string>
  /** Calls the REST API. `body` is sent as JSON; a string and bytes go as they are. */
  request(
    method: string,
    path: string,
    options?: { key?: string | null; body?: unknown; headers?: Record<string, string> },
  ): Promise<Answer>
  close(): Promise<void>
}

export type PatchbayOptions = {
  readonly env?: Readonly<Record<string, string>>
  readonly clock?: Clock
  readonly timings?: Partial<Timings>
  /** In place of parts of the guard. */
  readonly egress?: EgressParts
  /** In place of parts of refreshing. */
  readonly refresh?: RefreshParts
  /** Another one whose database and keys are used; that one must be closed last. */
  readonly sharing?: Patchbay
  /** A migrated database that somebody else made and drops. Default: a fresh one. */
  readonly databaseUrl?: string
}

/** Set, the tests have a cluster of processes in place of a Patchbay in their own, where they put no part of it in place. */
const isClusterWanted = process.env.PATCHBAY_TEST_CLUSTER === '1'

/**
 * A whole Patchbay in this process: real database, real sockets, on a free port of loopback. With PATCHBAY_TEST_CLUSTER=1
 * (`npm run test:cluster`) what is asked over HTTP is a cluster behind a balancer instead: see cluster.ts.
 */
export async function startPatchbay(options: PatchbayOptions = {}): Promise<Patchbay> {
  const { env = {}, clock = systemClock, timings = {}, egress = {}, refresh = {}, sharing } = options
  const givenUrl = options.databaseUrl ?? sharing?.databaseUrl
  const database = givenUrl === undefined ? await createTestDatabase() : undefined
  const databaseUrl = givenUrl ?? database?.url ?? ''
  const port = env.PORT ?? (await freePorts(1))[0] ?? 0
  const logs: string[] = []
  const log = createLogger('debug', { write: (line) => void logs.push(line) })
  const fullEnv = {
    PORT: String(port),
    DATABASE_URL: databaseUrl,
    DATABASE_POOL_SIZE: '5',
    // many tests at once on few cores
    DATABASE_WAIT: '10',
    // tests fail to reach many servers in a minute
    FAILED_CONNECTS_PER_MINUTE: '0',
    // and ask for more in a second than anybody should
    API_RATE_LIMIT: '0',
    ADDRESS_RATE_LIMIT: '0',
    WRONG_KEYS_PER_MINUTE: '0',
    // not made before something has to be kept in it
    DATA_DIR: join(tmpdir(), `patchbay-test-${randomUUID()}`),
    ENCRYPTION_KEYS: sharing?.env.ENCRYPTION_KEYS ?? `test:${randomBytes(32).toString('base64')}`,
    ...env,
  }
  const settings = readSettings(fullEnv)
  const tracing = await openTracing(settings, { name: 'patchbay-server', version: productVersion() })
  const app = createApp({
    settings,
    databaseUrl: new Secret(databaseUrl),
    log,
    env: fullEnv,
    clock,
    timings: { ...defaultTimings, ...timings },
    egress,
    refresh,
    tracing,
  })
  await app.bootstrapAccess(undefined)
  const isOfOnePiece = ['clock', 'timings', 'egress', 'refresh', 'sharing'].every((part) => !(part in options))
  const isCluster = isClusterWanted && isOfOnePiece
  if (isCluster) onEachConnection()
  const cluster = isCluster ? await startCluster({ env: fullEnv, onLog: (line) => void logs.push(line) }) : undefined
  const ring = fullEnv.ENCRYPTION_KEYS
  const watch = cluster === undefined ? undefined : await watchSecrets({ databaseUrl, ring, logs, cluster })
  const server = cluster ?? (await startHttpServer(app, settings, { noticeMs: 0, drainMs: 1000 }))
  const url = `http://localhost:${port}`

  const createKey: Patchbay['createKey'] = async ({
    subject,
    kind = 'user',
    role = 'member',
    tenant = 'default',
    scopes,
    expiresAt,
  }) => {
    const { id: tenantId } = await app.access.ensureTenant(tenant, tenant)
    const { key } = await app.issueApiKey({
      tenantId,
      label: subject,
      kind,
      subject,
      role,
      ...(scopes === undefined ? {} : { scopes }),
      ...(expiresAt === undefined ? {} : { expiresAt }),
    })
    watch?.add('API key', key.reveal())
    return key.reveal()
  }
  const admin = await createKey({ subject: 'admin', kind: 'service', role: 'admin' })

  return {
    url,
    databaseUrl,
    settings,
    env: fullEnv,
    app,
    logs,
    admin,
    createKey,
    async request(method, path, { key = admin, body, headers = {} } = {}) {
      const response = await fetch(url + path, {
        method,
        redirect: 'manual',
        headers: {
          ...(key === null ? {} : { authorization: `Bearer ${key}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: isRaw(body) ? body : JSON.stringify(body) }),
      })
      const text = await response.text()
      const isJson = /\bjson\b/.test(response.headers.get('content-type') ?? '')
      return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : null, text }
    },
    async close() {
      try {
        await watch?.finish()
      } finally {
        await server.close()
        await app.close()
        await database?.drop()
      }
    },
  }
}

const isRaw = (body: unknown): body is string | Uint8Array => typeof body === 'string' || body instanceof Uint8Array
