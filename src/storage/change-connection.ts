import { createHash } from 'node:crypto'
import type pg from 'pg'
import type { NewEvent } from '../audit/event.ts'
import type { Connection } from '../connections/connection.ts'
import type { ConnectionChanges } from '../connections/store.ts'
import { newId } from '../kernel/id.ts'
import { connectionColumns } from './columns.ts'
import { eventColumns, eventValues } from './event-store.ts'

/** What a change is conditional on: the row, and that nobody else has changed its grant meanwhile. */
export type ChangeKey = Pick<Connection, 'id' | 'tenantId' | 'grantEpoch' | 'tokenVersion'>

/** Columns that the lease keeps, beside what the domain changes. */
export type LeaseChanges = { readonly refreshStartedAt?: Date | null }

type Change = {
  readonly changes: ConnectionChanges & LeaseChanges
  readonly event: NewEvent | undefined
  /** Gives the lease back in the same statement. */
  readonly isLeaseReleased: boolean
  /** Only while this process holds the lease. */
  readonly heldBy?: string
  /** Left to the caller to announce (`LateAnnouncements`), where it would be announced with the commit. */
  readonly isAnnouncedLater?: boolean
}

/** What others change without a new epoch or version, and whose it is: whoever has seen the rest has to be told no more. */
const movable = ['connectorId', 'state', 'challenge', 'stepUps', 'updatedAt'] as const
type Columns = readonly (keyof typeof connectionColumns)[]
const every = Object.keys(connectionColumns) as (keyof typeof connectionColumns)[]

const statements = new Map<string, { readonly name: string; readonly text: string }>()
const keyed = ['id', 'tenantId', 'grantEpoch', 'tokenVersion'] as const

/**
 * Changes a connection and writes the event that tells of it, in ONE statement: conditional on epoch and version, with
 * nothing to roll back and no transaction to hold open.
 *
 * @returns the changed connection; null when somebody else was first, or it is gone
 */
export async function changeConnection(pool: pg.Pool, key: ChangeKey, change: Change): Promise<Connection | null> {
  return (await run(pool, key, change, every)) as Connection | null
}

/**
 * The same for whoever has just read the whole connection, as its lease has: forty columns that are known already are most of
 * what the answer would cost.
 */
export async function changeSeen(pool: pg.Pool, seen: Connection, change: Change): Promise<Connection | null> {
  const moved = await run(pool, seen, change, movable)
  const { refreshStartedAt: _, ...changes } = change.changes
  return moved === null ? null : { ...seen, ...changes, ...moved }
}

async function run(
  pool: pg.Pool,
  key: ChangeKey,
  { changes, event, isLeaseReleased, heldBy, isAnnouncedLater = false }: Change,
  answer: Columns,
): Promise<Partial<Connection> | null> {
  const properties = (Object.keys(changes) as (keyof typeof changes)[]).filter((name) => changes[name] !== undefined)
  const statement = statementFor(properties, {
    hasEvent: event !== undefined,
    // a new epoch ends whatever refresh was under way
    isLeaseReleased: isLeaseReleased || changes.grantEpoch !== undefined,
    isMarkCleared: changes.grantEpoch !== undefined && changes.refreshStartedAt === undefined,
    isHeld: heldBy !== undefined,
    isAnnouncedLater,
    answer,
  })
  const values = [
    ...keyed.map((name) => key[name]),
    ...properties.map((name) => toParameter(name, changes[name])),
    ...(heldBy === undefined ? [] : [heldBy]),
    ...(event === undefined ? [] : eventValues(newId(), event)),
  ]
  const { rows } = await pool.query<Partial<Connection>>({ ...statement, values })
  return rows[0] ?? null
}

type Shape = {
  readonly hasEvent: boolean
  readonly isLeaseReleased: boolean
  readonly isMarkCleared: boolean
  readonly isHeld: boolean
  readonly isAnnouncedLater: boolean
  readonly answer: Columns
}

/** The statement for one set of columns, made once and prepared once for each connection to PostgreSQL. */
function statementFor(properties: Columns, shape: Shape) {
  const key = JSON.stringify([properties, shape])
  const known = statements.get(key)
  if (known !== undefined) return known
  const text = writeStatement(properties, shape)
  const statement = { name: `change-${createHash('sha256').update(text).digest('hex').slice(0, 24)}`, text }
  statements.set(key, statement)
  return statement
}

function writeStatement(properties: Columns, shape: Shape): string {
  let count = keyed.length
  const parameter = (type: string) => {
    count += 1
    return `$${count}::${type}`
  }
  const assignments = properties.map((name) => {
    const [column, type] = connectionColumns[name]
    return `${column} = ${parameter(type)}`
  })
  if (shape.isLeaseReleased) assignments.push('lease_owner = NULL', 'lease_until = NULL')
  if (shape.isMarkCleared) assignments.push('refresh_started_at = NULL')
  assignments.push('updated_at = now()')
  const conditions = keyed.map((name, index) => {
    const [column, type] = connectionColumns[name]
    return `c.${column} = $${index + 1}::${type}`
  })
  if (shape.isHeld) conditions.push(`c.lease_owner = ${parameter('uuid')}`)
  // joined, so that it is set before the row changes; for this statement's transaction only
  const quiet = `quiet AS (SELECT set_config('patchbay.announced_later', 'yes', true))`
  const from = shape.isAnnouncedLater ? ' FROM quiet' : ''
  const update = `UPDATE connections c SET ${assignments.join(', ')}${from} WHERE ${conditions.join(' AND ')}`
  const answer = shape.answer.map((name) => `c.${connectionColumns[name][0]} AS "${name}"`).join(', ')
  const eventParameters = shape.hasEvent ? eventColumns.map(([, type]) => parameter(type)) : []
  const parts = [
    ...(shape.isAnnouncedLater ? [quiet] : []),
    `changed AS (${update} RETURNING ${answer}, c.tenant_id, c.connector_id, c.id AS connection_id)`,
    ...(shape.hasEvent
      ? [
          `told AS (
            INSERT INTO events (tenant_id, connector_id, connection_id, ${eventColumns.map(([column]) => column).join(', ')})
            SELECT tenant_id, connector_id, connection_id, ${eventParameters.join(', ')} FROM changed)`,
        ]
      : []),
  ]
  return `WITH ${parts.join(', ')} SELECT ${shape.answer.map((name) => `"${name}"`).join(', ')} FROM changed`
}

/** JSON goes as text; the rest as pg writes it. */
function toParameter(name: keyof typeof connectionColumns, value: unknown): unknown {
  return connectionColumns[name][1] === 'jsonb' && value !== null ? JSON.stringify(value) : value
}
