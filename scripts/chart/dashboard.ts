// The source of helm/files/dashboard.json: what a look at Patchbay begins with, in Grafana.
type Panel = {
  readonly title: string
  readonly about: string
  readonly queries: readonly (readonly [string, string])[]
  readonly unit?: string
}

const rate = (metric: string, by: string) => `sum by (${by}) (rate(${metric}[$__rate_interval]))`
const quantile = (q: number, metric: string) =>
  `histogram_quantile(${q}, sum by (le) (rate(${metric}_bucket[$__rate_interval])))`

const panels: readonly Panel[] = [
  {
    title: 'Most overdue connection',
    about: 'How long ago it should have been renewed. Above two minutes somebody should look.',
    queries: [['max(patchbay_refresh_due_lag_seconds)', 'lag']],
    unit: 's',
  },
  {
    title: 'Refreshes by outcome',
    about: 'How attempts to renew a grant ended.',
    queries: [[rate('patchbay_refresh_total', 'outcome'), '{{outcome}}']],
    unit: 'ops',
  },
  {
    title: 'Connections lost, by reason',
    about: 'What Patchbay had to disconnect.',
    queries: [['sum by (reason) (increase(patchbay_refresh_terminal_total[1h]))', '{{reason}}']],
  },
  {
    title: 'Issuers left alone',
    about: 'By why: breaker, asked_to_wait, held.',
    queries: [['max by (why) (patchbay_refresh_issuers_paused)', '{{why}}']],
  },
  {
    title: 'Requests by part and status',
    about: 'MCP calls, the API, pages.',
    queries: [[rate('patchbay_http_requests_total', 'surface, status'), '{{surface}} {{status}}']],
    unit: 'reqps',
  },
  {
    title: 'MCP calls by outcome',
    about: 'How calls at the MCP endpoints ended, or where they failed.',
    queries: [['sum by (outcome) (rate(patchbay_mcp_calls_total[$__rate_interval]))', '{{outcome}}']],
    unit: 'reqps',
  },
  {
    title: 'MCP calls by method',
    about: 'What was called.',
    queries: [['sum by (method) (rate(patchbay_mcp_calls_total[$__rate_interval]))', '{{method}}']],
    unit: 'reqps',
  },
  {
    title: 'Relayed calls',
    about: 'From sending to the complete answer, or to the first byte of a stream.',
    queries: [
      [quantile(0.5, 'patchbay_relay_seconds'), 'half'],
      [quantile(0.99, 'patchbay_relay_seconds'), '99 of 100'],
    ],
    unit: 's',
  },
  {
    title: 'Open streams',
    about: 'Passed on from upstreams, and of our own events.',
    queries: [
      ['sum(patchbay_relay_streams_open)', 'MCP'],
      ['sum(patchbay_event_streams_open)', 'events'],
    ],
  },
  {
    title: 'Webhooks by result',
    about: 'Attempts to deliver a message.',
    queries: [[rate('patchbay_webhook_attempts_total', 'result'), '{{result}}']],
    unit: 'ops',
  },
  {
    title: 'Database',
    about: 'Statements that failed, and requests that wait for a connection.',
    queries: [
      ['sum(rate(patchbay_database_failures_total[$__rate_interval]))', 'failures'],
      ['sum(patchbay_refresh_spill_pending)', 'results that wait'],
    ],
  },
  {
    title: 'Jobs in the queue',
    about: 'By queue.',
    queries: [['max by (queue) (patchbay_queue_jobs)', '{{queue}}']],
  },
]

// Grafana's variable, not ours
// biome-ignore lint/suspicious/noTemplateCurlyInString: see above
const datasource = { type: 'prometheus', uid: '${datasource}' }
const width = 12
const height = 8

/** The text of helm/files/dashboard.json (Grafana's dashboard model, schema version 39). */
export function dashboard(): string {
  const model = {
    title: 'Patchbay',
    uid: 'patchbay',
    schemaVersion: 39,
    time: { from: 'now-6h', to: 'now' },
    refresh: '30s',
    templating: { list: [{ name: 'datasource', type: 'datasource', query: 'prometheus' }] },
    panels: panels.map(({ title, about, queries, unit = 'short' }, index) => ({
      id: index + 1,
      type: 'timeseries',
      title,
      description: about,
      datasource,
      gridPos: { x: (index % 2) * width, y: Math.floor(index / 2) * height, w: width, h: height },
      fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
      targets: queries.map(([expr, legendFormat], at) => ({
        refId: String.fromCharCode(65 + at),
        datasource,
        expr,
        legendFormat,
      })),
    })),
  }
  return `${JSON.stringify(model, null, 2)}\n`
}
