import { z } from 'zod'
import { isLoopbackOrigin } from '../kernel/resource-url.ts'
import { Secret } from '../kernel/secret.ts'
import { hostSettings } from './host-settings.ts'
import { limitSettings } from './limit-settings.ts'
import { httpOrigin, issuer, list, number, origins, port, seconds, secret, text, urls } from './setting-schemas.ts'

/**
 * One setting: its schema (parsing the text of an environment variable), its default as text, and what it is for.
 * `docs/configuration.md` is generated from this table.
 */
export const settingTable = {
  PORT: { schema: port, fallback: '8333', about: 'Port of the API, the pages and the MCP endpoints.' },
  HOST: {
    schema: text.min(1),
    fallback: '127.0.0.1',
    about: 'Address to listen on. In a container: `0.0.0.0`.',
  },
  PUBLIC_URL: {
    schema: httpOrigin,
    about:
      'The origin under which browsers and hosts reach Patchbay; every absolute URL is built from it. Default: `http://localhost:<PORT>`.',
  },
  INTERNAL_URL: {
    schema: z
      .url({ protocol: /^https?$/, error: 'must be an http(s) URL' })
      .refine((value) => new URL(value).href === `${new URL(value).origin}/`, {
        message: 'must be an origin: scheme, host and port, without a path',
      })
      .transform((value) => new URL(value).origin),
    about:
      'The origin under which other servers of this installation reach this one directly, past the load balancer: for MCP sessions that live in one server (upstreams of HTTP+SSE and WebSocket). Needed with several servers, unless the balancer keeps a client on one. It must lead to this server and no other, which has to prove that before anything is sent to it. Unset: such a session is known to its own server only.',
  },
  PROCESSES: {
    schema: number(1, 64, 'must be a whole number from 1 to 64'),
    fallback: '1',
    about:
      'Server processes that `node dist/src/server.js` runs on its port, at most one for each processor core. Each keeps its own connections to PostgreSQL, and counts limits for itself.',
  },
  DATA_DIR: { schema: text.min(1), fallback: '.patchbay', about: 'Where the embedded database and local keys live.' },
  DATABASE_URL: {
    schema: z
      .url({ protocol: /^postgres(ql)?$/, error: 'must be a postgresql:// URL' })
      .transform((value) => new Secret(value)),
    secret: true,
    about: 'PostgreSQL. Unset: an embedded one in `DATA_DIR`.',
  },
  DATABASE_POOL_SIZE: {
    schema: number(1, 500, 'must be a whole number from 1 to 500'),
    fallback: '10',
    about: 'Connections to PostgreSQL that each process keeps at most.',
  },
  DATABASE_WAIT: {
    schema: number(1, 60, 'must be seconds: a whole number from 1 to 60'),
    fallback: '2',
    about:
      'Seconds that a request waits for PostgreSQL at most, for a connection and then a lock; then it is answered 503.',
  },
  REDIS_URL: {
    schema: z
      .url({ protocol: /^rediss?$|^unix$/, error: 'must be a redis://, rediss:// or unix:// URL' })
      .transform((value) => new Secret(value)),
    secret: true,
    about: 'Redis for the job queue. Unset: the queue lives in PostgreSQL.',
  },
  ADMIN_API_KEY: {
    schema: text
      .min(32, 'must have 32 characters or more')
      .max(512)
      .transform((value) => new Secret(value)),
    secret: true,
    about: "Makes an operator's key with this value in tenant `default` (32 characters or more).",
  },
  OIDC_ISSUER: {
    schema: issuer,
    about:
      "The organisation's OpenID Connect issuer. Its access tokens (JWT) are taken by the API and the MCP endpoints beside API keys. It is asked through the egress guard: list a private one in `EGRESS_ALLOW`.",
  },
  OIDC_AUDIENCE: {
    schema: text.min(1),
    about: 'The audience (`aud`) that those tokens must be for. Default: `PUBLIC_URL`.',
  },
  OIDC_CLIENT_ID: {
    schema: text.min(1),
    about:
      'Our client at that issuer: people then sign in there on the consent page. Register the redirect URI `PUBLIC_URL/oauth/login/callback`, code flow with PKCE.',
  },
  OIDC_CLIENT_SECRET: { schema: secret, secret: true, about: "That client's secret; none for a public client." },
  OIDC_TENANT_CLAIM: {
    schema: text.min(1),
    about:
      "The claim that holds the tenant's slug; a tenant that is not known is refused. Unset: everybody is in tenant `default`. In this and the other claims a name with dots is a path.",
  },
  OIDC_SUBJECT_CLAIM: {
    schema: text.min(1),
    fallback: 'sub',
    about: 'The claim that names the person, agent or service.',
  },
  OIDC_KIND_CLAIM: {
    schema: text.min(1),
    about: 'The claim that holds `user`, `agent` or `service`. Unset, or not in a token: `user`.',
  },
  OIDC_ROLES_CLAIM: { schema: text.min(1), fallback: 'roles', about: 'The claim that lists roles.' },
  OIDC_ADMIN_ROLE: {
    schema: text.min(1),
    fallback: 'patchbay-admin',
    about: 'The role in that list that makes an administrator. Everybody else is a member.',
  },
  ENCRYPTION_KEYS: {
    schema: secret,
    secret: true,
    about:
      'Keys that seal every stored secret: `kid:base64,...`, 32 bytes each, the first is active. Required, except with the embedded database on a loopback `PUBLIC_URL`, where one is made in `DATA_DIR`.',
  },
  ENCRYPTION_ALLOW_MISSING: {
    schema: z.enum(['0', '1']),
    fallback: '0',
    about:
      '`1`: start although some stored secrets are sealed with keys that are gone. Those connections have to be made anew.',
  },
  EGRESS_ALLOW: {
    schema: list,
    about:
      'Private or plain-http destinations that upstreams may have: `host:port` or CIDR, comma-separated. Default: loopback when `PUBLIC_URL` is loopback, else nothing.',
  },
  EGRESS_PORTS: {
    schema: list.pipe(z.array(number(1, 65535, 'must be ports from 1 to 65535, separated by commas'))),
    fallback: '443,8443',
    about: 'Ports that public upstreams may listen on.',
  },
  FAILED_CONNECTS_PER_MINUTE: {
    schema: number(0, 100_000, 'must be a whole number, 0 or more'),
    fallback: '10',
    about:
      'How many different servers a caller may fail to reach per minute with connect and doctor, and ten times as many per hour, in each process; then it has to wait (429). 0: any number.',
  },
  REDIRECT_URL_ALLOW: {
    schema: urls,
    about:
      'Where `redirect_url` may lead: origins or URL prefixes, comma-separated. Default: the own origin, and loopback when `PUBLIC_URL` is loopback.',
  },
  CONNECT_CONFIRMATION: {
    schema: z.enum(['page', 'none']),
    fallback: 'page',
    about:
      '`page`: a person confirms before being sent to the upstream. `none`: straight on, on a loopback `PUBLIC_URL` only.',
  },
  CONNECTOR__PRESETS: {
    schema: text,
    secret: true,
    about: 'Presets as a JSON array, see `docs/presets.md`. May hold client secrets.',
  },
  PRESETS_MODE: {
    schema: z.enum(['replace', 'extend']),
    fallback: 'replace',
    about: 'What `CONNECTOR__PRESETS` does with the presets that come with Patchbay: `replace` or `extend` them.',
  },
  PRESETS_DIR: {
    schema: text.min(1),
    about: 'A folder with more presets, one YAML file each. They take the place of built-in ones with their id or URL.',
  },
  CLIENT_METADATA_URL: {
    schema: z.url({ protocol: /^https$/, error: 'must be an https:// URL' }),
    about: 'https URL of our own client metadata document, where another one than ours is to be used.',
  },
  LEGACY_ENDPOINT_FALLBACK: {
    schema: z.enum(['on', 'off']),
    fallback: 'on',
    about:
      '`on`: a server that publishes no metadata at all is taken for one of MCP 2025-03-26, with `/authorize`, `/token` and `/register` on its origin. `off`: it is refused.',
  },
  ...hostSettings,
  CORS_ORIGINS: {
    schema: origins,
    about: 'Browser origins that may call the MCP endpoints, comma-separated. Default: none but the own.',
  },
  METRICS_PORT: {
    schema: port,
    fallback: '0',
    about:
      'Port of `/metrics`, `/healthz` and `/readyz` of the server process, without keys. 0: off, so that two starts side by side do not meet. Usual: `9464`.',
  },
  WORKER_METRICS_PORT: {
    schema: port,
    fallback: '0',
    about: 'The same of the worker process. 0: off. Usual: `9465`, or `9464` where it has a machine of its own.',
  },
  METRICS_HOST: {
    schema: text.min(1),
    fallback: '127.0.0.1',
    about: 'Address that the metrics ports listen on. In a container: `0.0.0.0`, behind a network policy.',
  },
  ...limitSettings,
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    schema: z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' }),
    about:
      'Base URL of an OpenTelemetry collector (OTLP over HTTP, JSON), for example `http://localhost:4318`: traces are sent to `/v1/traces` below it. Unset: there are no traces.',
  },
  OTEL_EXPORTER_OTLP_HEADERS: {
    schema: secret,
    secret: true,
    about: 'Headers for the collector: `name=value`, separated by commas, values percent-encoded.',
  },
  OTEL_TRACES_SAMPLER_ARG: {
    schema: z.coerce
      .number('must be a number from 0 to 1')
      .min(0, 'must be a number from 0 to 1')
      .max(1, 'must be a number from 0 to 1'),
    fallback: '1',
    about: 'The share of traces that are recorded: 1 all, 0.01 one in a hundred.',
  },
  LOG_LEVEL: {
    schema: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']),
    fallback: 'info',
    about: 'How much is logged.',
  },
  MIGRATE: {
    schema: z.enum(['auto', 'off']),
    fallback: 'auto',
    about:
      '`auto`: pending migrations are applied at start, under a lock. `off`: a start with pending migrations stops.',
  },
  SANDBOX_PORT: {
    schema: port,
    fallback: '8334',
    about:
      'Port of the sandbox MCP server that `npm start` runs on loopback. 0: off. Always off when `PUBLIC_URL` is not loopback.',
  },
  SANDBOX_TOKEN_TTL: {
    schema: seconds,
    fallback: '300',
    about: 'How long access tokens of the sandbox live, in seconds.',
  },
  EVENTS_KEPT_DAYS: {
    schema: number(1, 3650, 'must be days: a whole number from 1 to 3650'),
    fallback: '90',
    about: 'How long events are kept, and what hosts were granted after its end, in days.',
  },
  AUDIT_KEPT_DAYS: {
    schema: number(1, 3650, 'must be days: a whole number from 1 to 3650'),
    fallback: '365',
    about: 'How long entries of the audit log are kept, in days.',
  },
  DELIVERIES_KEPT_DAYS: {
    schema: number(1, 3650, 'must be days: a whole number from 1 to 3650'),
    fallback: '30',
    about: 'How long it is kept what became of the messages to webhooks, in days.',
  },
  ANALYTICS_KEPT_DAYS: {
    schema: number(0, 3650, 'must be days: a whole number from 0 to 3650'),
    fallback: '90',
    about:
      'How long it is kept who called which tool of which connector how often, by the hour, in days. 0: nothing of it is stored.',
  },
  HOUSEKEEPING_INTERVAL: {
    schema: z.coerce.number('must be seconds').min(0.1, 'must be 0.1 seconds or more'),
    fallback: '300',
    about: 'How often each worker deletes what is over, in seconds.',
  },
  REFRESH_CONCURRENCY: {
    schema: number(1, 1000, 'must be a whole number from 1 to 1000'),
    fallback: '50',
    about: 'Scheduled token refreshes that one worker has under way at once.',
  },
  REFRESH_PER_ISSUER: {
    schema: number(1, 100, 'must be a whole number from 1 to 100'),
    fallback: '4',
    about:
      'Token requests that one authorization server gets at once, from all processes together. One of them is kept for whoever waits.',
  },
  SWEEP_INTERVAL: {
    schema: z.coerce.number('must be seconds').min(0.1, 'must be 0.1 seconds or more'),
    fallback: '5',
    about: 'How often each worker asks PostgreSQL which tokens are due, in seconds.',
  },
} as const satisfies Record<string, SettingEntry>

export type SettingEntry = {
  readonly schema: z.ZodType
  readonly fallback?: string
  readonly secret?: boolean
  readonly about: string
}

type Table = typeof settingTable
type Parsed = {
  [Name in keyof Table]: Table[Name] extends { fallback: string }
    ? z.output<Table[Name]['schema']>
    : z.output<Table[Name]['schema']> | undefined
}

/** The settings of this process, typed. Names are the environment variables'. */
export type Settings = Omit<Parsed, 'PUBLIC_URL'> & {
  readonly PUBLIC_URL: URL
  /** True while `PUBLIC_URL` is a loopback origin: the only place where anything is lenient. */
  readonly isLoopback: boolean
}

/** What is wrong with the environment, all of it at once. */
export class SettingsError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`The settings are not usable:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`)
    this.name = 'SettingsError'
    this.problems = problems
  }
}

/**
 * Reads the settings from an environment. An empty variable counts as unset. Values never appear in the messages.
 *
 * @throws SettingsError with every problem
 */
export function readSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const problems: string[] = []
  const values: Record<string, unknown> = {}
  for (const [name, entry] of Object.entries<SettingEntry>(settingTable)) {
    const given = env[name]
    const raw = given === undefined || given.trim() === '' ? entry.fallback : given.trim()
    if (raw === undefined) continue
    const result = entry.schema.safeParse(raw)
    if (result.success) values[name] = result.data
    else problems.push(`${name}: ${[...new Set(result.error.issues.map((issue) => issue.message))].join('; ')}`)
  }
  const parsed = values as Parsed
  const publicUrl = parsed.PUBLIC_URL ?? new URL(`http://localhost:${parsed.PORT ?? 8333}`)
  const isLoopback = isLoopbackOrigin(publicUrl)
  problems.push(...acrossSettings(parsed, isLoopback))
  if (problems.length > 0) throw new SettingsError(problems)
  return Object.freeze({ ...parsed, PUBLIC_URL: publicUrl, isLoopback })
}

function acrossSettings(settings: Partial<Parsed>, isLoopback: boolean): string[] {
  const problems: string[] = []
  if (settings.ENCRYPTION_KEYS === undefined && (settings.DATABASE_URL !== undefined || !isLoopback)) {
    problems.push(
      'ENCRYPTION_KEYS: required with DATABASE_URL or a public PUBLIC_URL; make one with: node -e \'console.log("k1:" + require("crypto").randomBytes(32).toString("base64"))\'',
    )
  }
  if (settings.CONNECT_CONFIRMATION === 'none' && !isLoopback) {
    problems.push('CONNECT_CONFIRMATION: "none" is for a loopback PUBLIC_URL only')
  }
  if (settings.OIDC_CLIENT_ID !== undefined && settings.OIDC_ISSUER === undefined) {
    problems.push('OIDC_CLIENT_ID: says nothing without OIDC_ISSUER')
  }
  return problems
}
