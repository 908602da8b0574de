import type { CheckReport, ReadinessReport } from '../http/readiness-report.ts'
import type { Logger } from '../log/logger.ts'
import type { DatabaseState } from '../storage/database-state.ts'

export type ReadinessOptions = {
  readonly state: DatabaseState
  /** The migrations of this version, by name. */
  readonly migrations: () => Promise<readonly string[]>
  /** Null where the queue has no server of its own: it lives in PostgreSQL. */
  readonly isQueueReachable: (() => Promise<boolean>) | null
  readonly isShuttingDown: () => boolean
}

/** Probes wait a second or more; an answer must come before they give up. */
const checkMs = 2000
/** The oldest overdue refresh may be this old before anybody is told. A lost job comes back after 60 s by itself. */
const maxLagSeconds = 120

const ok: CheckReport = { status: 'ok' }
const failing = (detail: string): CheckReport => ({ status: 'failing', detail })

/**
 * Finds out whether this process can do its work: now, not what it was like a while ago. Many who ask at once are told the
 * same.
 */
export function createReadiness(options: ReadinessOptions): () => Promise<ReadinessReport> {
  let asking: Promise<ReadinessReport> | undefined
  return () => {
    asking ??= report(options).finally(() => {
      asking = undefined
    })
    return asking
  }
}

/** Says once, at a start, what does not work. The process goes on: it will when that does. */
export async function tellFailing(readiness: () => Promise<ReadinessReport>, log: Pick<Logger, 'warn'>): Promise<void> {
  const { checks } = await readiness()
  for (const [check, { status, detail }] of Object.entries(checks)) {
    if (status === 'failing') log.warn({ check, detail }, 'started with something missing')
  }
}

async function report({ state, migrations, isQueueReachable, isShuttingDown }: ReadinessOptions) {
  const [database, migrated, queue, refresh] = await Promise.all([
    inTime(checkDatabase(state)),
    inTime(checkMigrations(state, migrations)),
    isQueueReachable === null ? ({ status: 'unused' } as const) : inTime(checkQueue(isQueueReachable)),
    inTime(checkRefresh(state)),
  ])
  const checks = {
    process: isShuttingDown() ? failing('It is shutting down.') : ok,
    database,
    migrations: migrated,
    queue,
    refresh,
  }
  const isReady = [checks.process, checks.database, checks.migrations].every(({ status }) => status === 'ok')
  return { status: isReady ? 'ready' : 'not_ready', checks } as const
}

async function checkDatabase(state: DatabaseState): Promise<CheckReport> {
  switch (await state.availability()) {
    case 'writable':
      return ok
    case 'read_only':
      return failing('PostgreSQL takes no writes.')
    case 'unreachable':
      return failing('PostgreSQL is out of reach.')
  }
}

async function checkMigrations(
  state: DatabaseState,
  migrations: () => Promise<readonly string[]>,
): Promise<CheckReport> {
  const missing = await state.missingMigrations(await migrations())
  return missing.length === 0 ? ok : failing(`The database lacks: ${missing.join(', ')}.`)
}

async function checkQueue(isReachable: () => Promise<boolean>): Promise<CheckReport> {
  return (await isReachable())
    ? ok
    : failing('Redis is out of reach: tokens are renewed when they are used, not ahead. What is due is kept.')
}

async function checkRefresh(state: DatabaseState): Promise<CheckReport> {
  const lag = await state.refreshLagSeconds()
  if (lag <= maxLagSeconds) return ok
  return failing(
    `Tokens should have been renewed ${Math.round(lag)} seconds ago: no worker runs, or they do not keep up.`,
  )
}

/** What cannot be found out in time counts as failing. */
async function inTime(check: Promise<CheckReport>): Promise<CheckReport> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<CheckReport>((resolve) => {
    timer = setTimeout(() => resolve(failing('It could not be found out in time.')), checkMs)
  })
  try {
    return await Promise.race([check, late])
  } catch {
    return failing('It could not be found out.')
  } finally {
    clearTimeout(timer)
  }
}
