import type pg from 'pg'
import type { Act, ActEnd, AuditEntry, AuditFilter, AuditScope, AuditStore } from '../audit/audit-entry.ts'
import { newId } from '../kernel/id.ts'

/** Beyond this a count would cost more than it tells. */
const countLimit = 10_000

const insert = {
  name: 'audit-begin',
  text: `INSERT INTO audit_entries (id, tenant_id, channel, actor_id, actor_kind, actor_subject, credential_id, credential_label,
      address, request_id, action, target_type, target_id, fields, outcome, code, ended_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, CASE WHEN $15::text IS NOT NULL THEN now() END)`,
}
const finish = {
  name: 'audit-end',
  text: `UPDATE audit_entries SET ended_at = now(), outcome = $2, code = $3, target_id = coalesce(target_id, $4) WHERE id = $1`,
}

const columns = `id, tenant_id AS "tenantId", at, ended_at AS "endedAt", channel, actor_id AS "actorId", actor_kind AS "actorKind",
  actor_subject AS "actorSubject", credential_id AS "credentialId", credential_label AS "credentialLabel", address,
  request_id AS "requestId", action, target_type AS "targetType", target_id AS "targetId", fields, outcome, code`

type Row = Omit<AuditEntry, 'actor'> & {
  readonly actorId: string | null
  readonly actorKind: AuditEntry['actor']['kind']
  readonly actorSubject: string
  readonly credentialId: string | null
  readonly credentialLabel: string | null
}

function toEntry({ actorId, actorKind, actorSubject, credentialId, credentialLabel, ...row }: Row): AuditEntry {
  return { ...row, actor: { id: actorId, kind: actorKind, subject: actorSubject, credentialId, credentialLabel } }
}

/** The audit log in PostgreSQL. Written by hand: each act costs two of these. */
export function createPostgresAuditStore(pool: pg.Pool): AuditStore {
  async function write(act: Act, end: ActEnd | null): Promise<string> {
    const id = newId()
    const { actor } = act
    await pool.query({
      ...insert,
      values: [
        id,
        act.tenantId,
        act.channel,
        actor.id,
        actor.kind,
        actor.subject,
        actor.credentialId,
        actor.credentialLabel,
        act.address,
        act.requestId,
        act.action,
        act.targetType,
        end?.targetId ?? act.targetId,
        act.fields,
        end?.outcome ?? null,
        end?.code ?? null,
      ],
    })
    return id
  }

  return {
    begin: (act) => write(act, null),

    async end(id, { outcome, code, targetId }) {
      await pool.query({ ...finish, values: [id, outcome, code, targetId ?? null] })
    },

    async add(act, end) {
      await write(act, end)
    },

    async list(scope, { limit, before, ...filter }) {
      const all = conditions(scope, filter)
      const page = before === undefined ? all : all.and('id < ?::uuid', before)
      const [{ rows }, counted] = await Promise.all([
        pool.query<Row>(select(page, 'DESC'), [...page.values, limit + 1]),
        pool.query<{ count: number }>(
          `SELECT count(*)::int AS count FROM (SELECT FROM audit_entries WHERE ${all.text} LIMIT ${countLimit}) AS counted`,
          [...all.values],
        ),
      ])
      return {
        items: rows.slice(0, limit).map(toEntry),
        totalCount: counted.rows[0]?.count ?? 0,
        hasMore: rows.length > limit,
      }
    },

    async listAfter(scope, { limit, after, ...filter }) {
      const all = conditions(scope, filter)
      const page = after === undefined ? all : all.and('id > ?::uuid', after)
      const { rows } = await pool.query<Row>(select(page, 'ASC'), [...page.values, limit])
      return rows.map(toEntry)
    },
  }
}

/** The limit is one more value. */
function select({ text, values }: Conditions, order: 'ASC' | 'DESC'): string {
  return `SELECT ${columns} FROM audit_entries WHERE ${text} ORDER BY id ${order} LIMIT $${values.length + 1}`
}

type Conditions = {
  readonly text: string
  readonly values: readonly unknown[]
  /** One more; `?` stands for the value. */
  and(condition: string, value?: unknown): Conditions
}

function where(text: string, values: readonly unknown[]): Conditions {
  return {
    text,
    values,
    and(condition, value) {
      if (!condition.includes('?')) return where(`${text} AND ${condition}`, values)
      return where(`${text} AND ${condition.replace('?', `$${values.length + 1}`)}`, [...values, value])
    },
  }
}

const comparisons: Readonly<Record<Exclude<keyof AuditFilter, 'outcome'>, string>> = {
  targetId: 'target_id = ?',
  subject: 'actor_subject = ?',
  action: 'action = ?',
  channel: 'channel = ?',
  since: 'at >= ?',
  until: 'at < ?',
}

function conditions(scope: AuditScope, { outcome, ...filter }: AuditFilter): Conditions {
  let all = scope === 'installation' ? where('true', []) : where('tenant_id = $1', [scope.tenantId])
  for (const [name, condition] of Object.entries(comparisons)) {
    const value = filter[name as keyof typeof comparisons]
    if (value !== undefined) all = all.and(condition, value)
  }
  if (outcome === 'unfinished') return all.and('outcome IS NULL')
  return outcome === undefined ? all : all.and('outcome = ?', outcome)
}
