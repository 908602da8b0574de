import { expect } from 'chai'
import type { App } from '../../src/app.ts'
import { defaultTimings, type Timings } from '../../src/config/timings.ts'
import type { RefreshResult } from '../../src/connections/refresh-result.ts'
import { withConnection } from '../../src/storage/ensure-database.ts'
import { authorize, createConnector } from './connecting.ts'
import type { Answer, Patchbay } from './patchbay.ts'

/** A row of `connections`, as the table has it. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into columns of every type
export type ConnectionRow = Readonly<Record<string, any>>

/** The leases of real life, twenty times as fast. */
export const fastTimings: Pick<Timings, 'refresh'> = {
  refresh: {
    ...defaultTimings.refresh,
    leaseMs: 750,
    heartbeatMs: 250,
    safetyMs: 50,
    freshMs: 100,
    waitMs: 1250,
    pollMs: 5,
    maxPollMs: 20,
  },
}

export async function rowOf(
  { databaseUrl }: Pick<Patchbay, 'databaseUrl'>,
  connectorId: string,
): Promise<ConnectionRow> {
  return withConnection(databaseUrl, async (client) => {
    const { rows } = await client.query('SELECT * FROM connections WHERE connector_id = $1', [connectorId])
    expect(rows).to.have.length(1)
    return rows[0]
  })
}

/** Lets the database say: its clock counts. */
export async function updateRow(
  { databaseUrl }: Pick<Patchbay, 'databaseUrl'>,
  connectorId: string,
  assignments: string,
): Promise<void> {
  await withConnection(databaseUrl, (client) =>
    client.query(`UPDATE connections SET ${assignments} WHERE connector_id = $1`, [connectorId]),
  )
}

/** The events of a connector of that type, oldest first. */
export async function eventsOf(patchbay: Patchbay, connectorId: string, type: string): Promise<Answer['body'][]> {
  const { body } = await patchbay.request('GET', `/api/v1/connectors/${connectorId}/events?limit=100`)
  return body.items.filter((event: { type: string }) => event.type === type).reverse()
}

/** A connector with a grant of the upstream's. */
export async function connectTo(
  patchbay: Patchbay,
  upstream: { readonly url: string },
  fields: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const id = await createConnector(patchbay, upstream.url, fields)
  await authorize(patchbay, id)
  return id
}

/** Leases and renews one connection as a worker's run does with many. @returns how it ended; `passed_over`: no lease was to be had */
export async function runAsWorker(
  { refreshing }: Pick<App, 'refreshing'>,
  row: ConnectionRow,
): Promise<RefreshResult['kind'] | 'passed_over'> {
  const reference = { id: row.id, tenantId: row.tenant_id, grantEpoch: null, tokenVersion: row.token_version }
  const [leased] = await refreshing.keeper.take([reference])
  return leased === undefined ? 'passed_over' : (await refreshing.renewLeased(leased)).kind
}

/** Lets the time pass for which authorization servers are left alone. */
export async function endPauses({ databaseUrl }: Pick<Patchbay, 'databaseUrl'>): Promise<void> {
  await withConnection(databaseUrl, (client) => client.query('UPDATE issuers SET paused_until = NULL'))
}
