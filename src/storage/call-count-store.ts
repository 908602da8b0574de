import type pg from 'pg'
import type { CallCount, CallCountStore, CallGroup, CallQuery, CallReportLine } from '../insight/store.ts'
import { latencyClasses } from '../kernel/latency.ts'
import type { PrincipalKind } from '../kernel/principal.ts'

/** In the place of a connector where there is none: a key has no NULL in it. */
const noConnector = '00000000-0000-0000-0000-000000000000'
const rowsAtOnce = 1000

// Rows come in the order of the key, so that processes which store at the same time wait for one another, not in a circle.
const addCounts = {
  name: 'add-call-counts',
  text: `INSERT INTO call_counts AS known
      (tenant_id, hour_at, connector_id, principal_id, method, tool, client, outcome, calls, total_ms, latency)
    SELECT tenant_id, hour_at, connector_id, principal_id, method, tool, client, outcome, calls, total_ms, latency
    FROM jsonb_to_recordset($1::jsonb) AS fresh (tenant_id uuid, hour_at timestamptz, connector_id uuid, principal_id uuid,
      method text, tool text, client text, outcome text, calls integer, total_ms bigint, latency integer[])
    ORDER BY 1, 2, 3, 4, 5, 6, 7, 8
    ON CONFLICT (tenant_id, hour_at, connector_id, principal_id, method, tool, client, outcome) DO UPDATE SET
      calls = known.calls + excluded.calls,
      total_ms = known.total_ms + excluded.total_ms,
      latency = ARRAY(SELECT a + b FROM unnest(known.latency, excluded.latency) WITH ORDINALITY AS pair (a, b, place) ORDER BY place)`,
}

type Group = { readonly columns: readonly (readonly [name: string, sql: string])[]; readonly where?: string }

const hourOf = (unit: 'hour' | 'day') => `date_trunc('${unit}', c.hour_at, 'UTC')`
const groups: Readonly<Record<CallGroup, Group>> = {
  connector: { columns: [['connectorId', `nullif(c.connector_id, '${noConnector}')`]] },
  method: { columns: [['method', 'c.method']] },
  tool: { columns: [['tool', 'c.tool']], where: `c.method = 'tools/call'` },
  principal: {
    columns: [
      ['principalId', 'c.principal_id'],
      ['kind', 'p.kind'],
      ['subject', 'p.subject'],
    ],
  },
  client: { columns: [['client', 'c.client']] },
  outcome: { columns: [['outcome', 'c.outcome']] },
  hour: { columns: [['time', hourOf('hour')]] },
  day: { columns: [['time', hourOf('day')]] },
}
const filters = [
  ['connectorId', 'c.connector_id', 'uuid'],
  ['principalId', 'c.principal_id', 'uuid'],
  ['method', 'c.method', 'text'],
  ['tool', 'c.tool', 'text'],
  ['client', 'c.client', 'text'],
  ['outcome', 'c.outcome', 'text'],
] as const

const latencySums = Array.from({ length: latencyClasses }, (_, index) => `sum(c.latency[${index + 1}])::float8`).join(
  ', ',
)

type Row = Omit<CallReportLine, 'principal'> & {
  readonly principalId?: string
  readonly kind?: PrincipalKind | null
  readonly subject?: string | null
  readonly totalCount: number
}

/** Counts of calls in PostgreSQL. */
export function createPostgresCallCountStore(pool: pg.Pool): CallCountStore {
  return {
    async add(counts) {
      const client = await pool.connect()
      try {
        await client.query('BEGIN')
        const rows = counts.map(toRow).sort(byKey)
        for (let from = 0; from < rows.length; from += rowsAtOnce) {
          await client.query({ ...addCounts, values: [JSON.stringify(rows.slice(from, from + rowsAtOnce))] })
        }
        await client.query('COMMIT')
      } catch (error) {
        await client.query('ROLLBACK').catch(() => {})
        throw error
      } finally {
        client.release()
      }
    },

    async report(tenantId, query) {
      const { text, values } = reportStatement(tenantId, query)
      const { rows } = await pool.query<Row>(text, values)
      return { lines: rows.map(toLine), totalCount: rows[0]?.totalCount ?? 0 }
    },
  }
}

function toRow(count: CallCount) {
  return {
    tenant_id: count.tenantId,
    hour_at: count.hourAt.toISOString(),
    connector_id: count.connectorId ?? noConnector,
    principal_id: count.principalId,
    method: count.method,
    tool: count.tool,
    client: count.client,
    outcome: count.outcome,
    calls: count.calls,
    total_ms: Math.round(count.totalMs),
    latency: count.latency,
  }
}

type Fresh = ReturnType<typeof toRow>

/** Some order, the same in every process: all rows of one transaction are locked in it. */
function byKey(a: Fresh, b: Fresh): number {
  for (const name of ['tenant_id', 'hour_at', 'connector_id', 'principal_id', 'method', 'tool', 'client'] as const) {
    if (a[name] !== b[name]) return a[name] < b[name] ? -1 : 1
  }
  return a.outcome < b.outcome ? -1 : 1
}

function reportStatement(tenantId: string, query: CallQuery): { text: string; values: unknown[] } {
  const values: unknown[] = [tenantId, query.from, query.to, query.limit]
  const where = ['c.tenant_id = $1::uuid', 'c.hour_at >= $2', 'c.hour_at < $3']
  for (const [name, column, type] of filters) {
    if (query[name] === undefined) continue
    values.push(query[name])
    where.push(`${column} = $${values.length}::${type}`)
  }
  const wanted = query.groupBy.map((name) => groups[name])
  for (const { where: condition } of wanted) if (condition !== undefined) where.push(condition)
  const columns = wanted.flatMap((group) => group.columns)
  const isOverTime = query.groupBy.some((name) => name === 'hour' || name === 'day')
  const joined = query.groupBy.includes('principal') ? 'LEFT JOIN principals p ON p.id = c.principal_id' : ''
  const text = `SELECT ${columns.map(([name, sql]) => `${sql} AS "${name}", `).join('')}
      sum(c.calls)::float8 AS calls,
      coalesce(sum(c.calls) FILTER (WHERE c.outcome NOT IN ('ok', 'client_gone')), 0)::float8 AS failed,
      sum(c.total_ms)::float8 AS "totalMs", ARRAY[${latencySums}] AS latency,
      (count(*) OVER ())::float8 AS "totalCount"
    FROM call_counts c ${joined} WHERE ${where.join(' AND ')}
    ${columns.length === 0 ? 'HAVING count(*) > 0' : `GROUP BY ${columns.map(([, sql]) => sql).join(', ')}`}
    ORDER BY ${isOverTime ? '"time", ' : ''}calls DESC${columns.map(([name]) => `, "${name}"`).join('')}
    LIMIT $4`
  return { text, values }
}

function toLine({ principalId, kind, subject, totalCount: _, ...line }: Row): CallReportLine {
  if (principalId === undefined) return line
  return { ...line, principal: { id: principalId, kind: kind ?? null, subject: subject ?? null } }
}
