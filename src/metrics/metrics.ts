import { AggregatorRegistry, Counter, collectDefaultMetrics, Registry } from 'prom-client'
import { type AnnouncingMetrics, createAnnouncingMetrics } from './announcing-metrics.ts'
import { type CallMetrics, createCallMetrics } from './call-metrics.ts'
import { createHttpMetrics, type HttpMetrics } from './http-metrics.ts'
import { createReadings, type Readings } from './readings.ts'
import { createRefreshMetrics, type RefreshMetrics } from './refresh-metrics.ts'
import { createRelayMetrics, type RelayMetrics } from './relay-metrics.ts'

/**
 * What this process counts. Use cases are given the part that is theirs. Labels have few values: never an id, a URL or a
 * word of somebody else's.
 */
export type Metrics = Readings & {
  readonly http: HttpMetrics
  readonly relay: RelayMetrics
  readonly calls: CallMetrics
  readonly refresh: RefreshMetrics
  readonly announcing: AnnouncingMetrics
  /** The database was out of reach, read-only or out of connections for a statement. */
  databaseFailed(): void
  /** Counts the process itself as well: CPU, memory, handles, garbage collection, event-loop lag. Once per process. */
  watchProcess(): void
  /** What is counted, whether or not anything has been yet: for the documents. */
  describe(): readonly MetricDescription[]
  /** Hands everything to the process that runs this one with others on one port: see `createGroupMetrics`. */
  share(): void
  /** Everything in Prometheus' text format. */
  render(): Promise<{ readonly contentType: string; readonly text: string }>
}

export type MetricDescription = { readonly name: string; readonly help: string; readonly type: string }

/** The meters of one process, all at zero. */
export function createMetrics(): Metrics {
  const registry = new Registry()
  const databaseFailures = new Counter({
    name: 'patchbay_database_failures_total',
    help: 'Statements that failed because the database was out of reach, read-only, or out of connections.',
    registers: [registry],
  })
  return {
    ...createReadings(registry),
    http: createHttpMetrics(registry),
    relay: createRelayMetrics(registry),
    calls: createCallMetrics(registry),
    refresh: createRefreshMetrics(registry),
    announcing: createAnnouncingMetrics(registry),
    databaseFailed: () => databaseFailures.inc(),
    watchProcess: () => collectDefaultMetrics({ register: registry }),
    // the library's types are older than its metrics' properties
    describe: () => registry.getMetricsAsArray().map(({ name, help, type }) => ({ name, help, type: String(type) })),
    share: () => {
      collectDefaultMetrics({ register: registry })
      AggregatorRegistry.setRegistries(registry)
      new AggregatorRegistry()
    },
    render: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  }
}

/** What a metrics port shows. */
export type ShownMetrics = Pick<Metrics, 'watchProcess' | 'render'>

/** The sum of what the server processes on one port count, for the process that runs them. Each must have called `share`. */
export function createGroupMetrics(): ShownMetrics {
  const registry = new AggregatorRegistry()
  return {
    watchProcess: () => {},
    render: async () => ({ contentType: registry.contentType, text: await registry.clusterMetrics() }),
  }
}
