import { expect } from 'chai'
import type pg from 'pg'
import { formatPlace } from '../../../src/audit/event-place.ts'
import { withConnection } from '../../../src/storage/ensure-database.ts'
import { restoredEvents } from '../../../src/storage/restored-events.ts'
import { createConnector } from '../../support/connecting.ts'
import { openEvents } from '../../support/event-source.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { until } from '../../support/until.ts'

describe('restoredEvents', function () {
  this.timeout(60_000)
  let patchbay: Patchbay
  before(async () => {
    patchbay = await startPatchbay()
  })
  after(() => patchbay.close())

  const onDatabase = <T>(work: (client: pg.Client) => Promise<T>) => withConnection(patchbay.databaseUrl, work)

  it('has nothing to do in a database that was always here', async () => {
    await createConnector(patchbay, 'https://native.example/')
    expect(await onDatabase((client) => restoredEvents.isPending(client))).to.equal(false)
  })

  it('puts events from another cluster before what happens here, and readers of them go on', async () => {
    await createConnector(patchbay, 'https://restored-1.example/')
    const second = await createConnector(patchbay, 'https://restored-2.example/')
    const xid = 10n ** 12n
    const ids = await onDatabase(async (client) => {
      await client.query('UPDATE events SET xid = xid + $1', [xid])
      const { rows } = await client.query<{ id: string }>('SELECT id FROM events ORDER BY id')
      expect(await restoredEvents.isPending(client)).to.equal(true)
      await restoredEvents.apply(client)
      expect(await restoredEvents.isPending(client)).to.equal(false)
      return rows.map(({ id }) => id)
    })
    const place = formatPlace({ xid: xid + 5n, id: ids.at(-2) ?? '' })
    const source = await openEvents(patchbay, { lastEventId: place })
    const third = await createConnector(patchbay, 'https://restored-3.example/')
    await until('both', () => source.events.length === 2)
    expect(source.events.map(({ data }) => data.connector_id)).to.deep.equal([second, third])
    await source.close()
  })
})
