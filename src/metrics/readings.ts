import { Gauge, type Registry } from 'prom-client'

/** One value of a gauge, with the value of its one label where it has one. */
export type Reading = { readonly label?: string; readonly value: number }
export type Read = () => readonly Reading[] | Promise<readonly Reading[]>

const readMs = 1000

/** Gauges that somebody else knows the value of, who is asked at each scrape. */
const table = {
  databaseConnections: {
    name: 'patchbay_database_connections',
    help: "Connections of this process's pool (total, idle) and requests that wait for one (waiting).",
    label: 'state',
    isShared: false,
  },
  queueJobs: { name: 'patchbay_queue_jobs', help: 'Jobs in the queue, by queue.', label: 'queue', isShared: true },
  refreshDueLag: {
    name: 'patchbay_refresh_due_lag_seconds',
    help: 'How long ago the most overdue connection should have been renewed; 0 when nothing is overdue.',
    label: undefined,
    isShared: true,
  },
  issuersPaused: {
    name: 'patchbay_refresh_issuers_paused',
    help: 'Issuers that are left alone for a while, by why (breaker, asked_to_wait, held).',
    label: 'why',
    isShared: true,
  },
  spillPending: {
    name: 'patchbay_refresh_spill_pending',
    help: 'Results that wait in this process for the database to take them.',
    label: undefined,
    isShared: false,
  },
} as const

export type ReadingName = keyof typeof table

export type Readings = {
  /** Says who knows a gauge's value. What cannot be read within a second is missing from that scrape, never old. */
  watch(name: ReadingName, read: Read): void
}

export function createReadings(registry: Registry): Readings {
  const readers = new Map<ReadingName, Read>()
  for (const reading of Object.keys(table) as ReadingName[]) {
    const { name, help, label, isShared } = table[reading]
    new Gauge({
      name,
      help,
      labelNames: label === undefined ? [] : [label],
      registers: [registry],
      // of processes that share a port: what each reads of the database is the same
      aggregator: isShared ? 'max' : 'sum',
      async collect() {
        this.reset()
        // a gauge without labels begins at 0, which would be a statement
        if (label === undefined) this.remove()
        for (const one of await readInTime(readers.get(reading))) {
          if (label === undefined) this.set(one.value)
          else if (one.label !== undefined) this.set({ [label]: one.label }, one.value)
        }
      },
    })
  }
  return { watch: (name, read) => void readers.set(name, read) }
}

/** A scrape must come back, above all in an outage. */
async function readInTime(read: Read | undefined): Promise<readonly Reading[]> {
  if (read === undefined) return []
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<readonly Reading[]>((resolve) => {
    timer = setTimeout(() => resolve([]), readMs)
  })
  try {
    return await Promise.race([read(), late])
  } catch {
    return []
  } finally {
    clearTimeout(timer)
  }
}
