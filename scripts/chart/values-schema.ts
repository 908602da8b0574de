// What helm/values.yaml may hold: the source of helm/values.schema.json and of the table in helm/README.md.
import { z } from 'zod'
import { type SettingEntry, settingTable } from '../../src/config/settings.ts'

type Json = Record<string, unknown>

const text = (about: string) => z.string().describe(about)
const list = (about: string) => z.array(z.looseObject({})).describe(about)
const map = (about: string) => z.record(z.string(), z.string()).describe(about)
const any = (about: string) => z.looseObject({}).describe(about)
const count = (about: string) => z.int().min(0).max(1000).describe(about)
const portNumbers = (about: string) => z.array(z.int().min(1).max(65535)).describe(about)
const cidrs = (about: string) => z.array(z.string().regex(/^[0-9a-fA-F.:]+\/\d+$/)).describe(about)

const secret = (about: string) =>
  z
    .strictObject({
      value: text('The secret itself; it goes into a Secret of the release.'),
      existingSecret: text('A Secret that is there already; then `value` is left out.'),
      key: text('The key in that Secret.'),
    })
    .partial()
    .describe(about)

const resources = z
  .strictObject({
    requests: z.record(z.string(), z.union([z.string(), z.number()])),
    limits: z.record(z.string(), z.union([z.string(), z.number()])),
  })
  .partial()
  .describe('Requests and limits of each pod.')

const part = (what: string) =>
  z.strictObject({
    replicas: count(`How many ${what} pods there are, without autoscaling.`),
    resources,
    autoscaling: z
      .strictObject({
        enabled: z.boolean(),
        minReplicas: count('The fewest pods.'),
        maxReplicas: count('The most pods.'),
        targetCPUUtilizationPercentage: z.int().min(1).max(100),
      })
      .partial()
      .describe('A HorizontalPodAutoscaler on CPU.'),
    podDisruptionBudget: z
      .strictObject({ enabled: z.boolean(), maxUnavailable: z.union([z.int().min(0), z.string()]) })
      .partial()
      .describe('How many pods a drained node may take at once.'),
    nodeSelector: map('Nodes to run on.'),
    tolerations: list('Taints to put up with.'),
    affinity: any('Affinity rules. Pods are spread over zones and nodes anyhow.'),
    podAnnotations: map('More annotations of the pods.'),
    podLabels: map('More labels of the pods.'),
  })

const preset = z.looseObject({ url: z.string().min(8) }).describe('A preset, as in docs/presets.md.')

const trusted = 'Then `settings.TRUSTED_PROXIES` is 1 unless it is set: its controller is the proxy.'

const settingEntries = Object.entries<SettingEntry>(settingTable)
/** CONNECTOR__PRESETS is filled from `connector`. */
const secretNames = settingEntries.filter(([name, { secret }]) => secret === true && name !== 'CONNECTOR__PRESETS')
const secretShape = Object.fromEntries(secretNames.map(([name, { about }]) => [name, secret(about).optional()]))

/** Filled in by `withSettings`: its fields come from the table of settings, not from here. */
const settings = z
  .strictObject({})
  .describe('Environment variables of docs/configuration.md. `PUBLIC_URL` is required.')

const values = z.strictObject({
  image: z.strictObject({
    repository: text('Where the image is pulled from.'),
    tag: text("Default: the chart's appVersion."),
    digest: z
      .string()
      .regex(/^(sha256:[0-9a-f]{64})?$/)
      .describe('Pins the image; goes before `tag`.'),
    pullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']),
    pullSecrets: z.array(z.string()).describe('Names of Secrets to pull with.'),
  }),
  nameOverride: text('In place of the name `patchbay`.'),
  fullnameOverride: text("In place of the names made of the release's."),
  settings,
  secrets: z.strictObject(secretShape).describe('The secret settings.'),
  connector: z.strictObject({
    presets: z
      .array(preset)
      .describe('Presets (CONNECTOR__PRESETS): they go into a Secret; a change of them rolls the pods.'),
    existingSecret: text('A Secret that holds the presets as a JSON array, in place of `presets`.'),
    existingSecretKey: text('The key in that Secret.'),
    presetSecrets: z
      .record(z.string().regex(/^[A-Z][A-Z0-9_]{0,127}$/), secret('One of them.'))
      .describe('Environment variables that presets name in `client_secret_env`.'),
  }),
  server: part('server').describe('The API, the pages and the MCP endpoints.'),
  worker: part('worker').describe('Refreshes tokens, delivers webhooks.'),
  migration: z.strictObject({
    enabled: z.boolean().describe('Migrate the database in a hook before each install and upgrade.'),
    resources,
    activeDeadlineSeconds: z.int().min(10).describe('The longest that the migration may take, in seconds.'),
  }),
  service: z.strictObject({
    type: z.enum(['ClusterIP', 'NodePort', 'LoadBalancer']),
    port: z.int().min(1).max(65535).describe('Port of the service.'),
    annotations: map('Annotations of the service.'),
  }),
  ingress: z.strictObject({
    enabled: z.boolean().describe(`An Ingress. ${trusted}`),
    className: text('The ingress class.'),
    annotations: map('Such as a list of addresses that may come in.'),
    host: text('Default: the host of `PUBLIC_URL`.'),
    tlsSecret: text('The Secret with the certificate.'),
  }),
  gateway: z.strictObject({
    enabled: z.boolean().describe(`An HTTPRoute (Gateway API). ${trusted}`),
    parentRefs: list('The gateways to attach to.'),
    hostnames: z.array(z.string()).describe('Default: the host of `PUBLIC_URL`.'),
    annotations: map('Annotations of the route.'),
  }),
  networkPolicy: z.strictObject({
    enabled: z
      .boolean()
      .describe('Pods reach public servers, DNS and the databases only: the second line behind the egress guard.'),
    from: list('Who may reach the API; empty: everybody.'),
    metricsFrom: list('Who may reach the metrics; empty: everybody in the cluster.'),
    databasePorts: portNumbers('Ports on which PostgreSQL and Redis are reached, wherever they are.'),
    upstreamPorts: portNumbers('Ports of upstream servers; `settings.EGRESS_PORTS` are those that the guard permits.'),
    privateRanges: cidrs('Never reached on those ports (IPv4).'),
    privateRanges6: cidrs('Never reached on those ports (IPv6).'),
    extraEgress: list('More rules, for upstream servers of your own (`settings.EGRESS_ALLOW`).'),
  }),
  serviceMonitor: z.strictObject({
    enabled: z.boolean().describe('A ServiceMonitor (Prometheus Operator).'),
    interval: text('How often metrics are read.'),
    labels: map('Labels by which Prometheus finds it.'),
  }),
  prometheusRule: z.strictObject({
    enabled: z.boolean().describe('The alert rules of `files/alerts.yaml` (Prometheus Operator).'),
    labels: map('Labels by which Prometheus finds them.'),
  }),
  dashboard: z.strictObject({
    enabled: z.boolean().describe("The dashboard of `files/dashboard.json` in a ConfigMap, for Grafana's sidecar."),
    labels: map('Labels by which the sidecar finds it.'),
  }),
  serviceAccount: z.strictObject({
    create: z.boolean().describe('Make one; it has no token.'),
    name: text('Default: the name of the release.'),
    annotations: map('Annotations of the service account.'),
  }),
  podSecurityContext: any('Of server, worker and migration.'),
  terminationGracePeriodSeconds: z
    .int()
    .min(45)
    .describe('How long a pod may take to end; its own drain takes up to 40 seconds.'),
  postgresql: z.strictObject({
    enabled: z.boolean().describe('Bring a PostgreSQL for a trial: one pod, no backups.'),
    image: text('Its image.'),
    password: secret('Its password.'),
    storage: text('Size of its volume.'),
  }),
  redis: z.strictObject({
    enabled: z.boolean().describe('Bring a Redis for a trial: one pod, nothing kept.'),
    image: text('Its image.'),
  }),
  extraEnv: list('More environment variables of server and worker.'),
  extraVolumes: list('More volumes of server and worker, such as a ConfigMap for `settings.PRESETS_DIR`.'),
  extraVolumeMounts: list('Where they are mounted.'),
  extraObjects: list('More objects to install with the release.'),
  global: any('Of a parent chart.').optional(),
})

/** The JSON Schema of the values: what `helm lint`, `template` and `install` check them against. */
export function valuesSchema(): Json {
  const schema: Json = z.toJSONSchema(values, { io: 'input', target: 'draft-7' })
  const properties = schema.properties as Record<string, Json>
  properties.settings = withSettings(properties.settings ?? {})
  return { title: 'Values of the chart patchbay', ...schema }
}

function withSettings(base: Json): Json {
  const plain = settingEntries.filter(([, { secret }]) => secret !== true)
  const properties = Object.fromEntries(
    plain.map(([name, { schema, about, fallback }]): [string, Json] => {
      const { $schema: _, ...json } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
      // probes need the ports
      const inChart = name.endsWith('PORT') && name !== 'SANDBOX_PORT' ? { minimum: 1 } : {}
      return [
        name,
        { ...json, ...inChart, description: about, ...(fallback === undefined ? {} : { default: fallback }) },
      ]
    }),
  )
  return { ...base, properties, required: ['PUBLIC_URL'] }
}
