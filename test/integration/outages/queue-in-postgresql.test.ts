import { expect } from 'chai'
import { Secret } from '../../../src/kernel/secret.ts'
import { createQueueBackend, type QueueBackend } from '../../../src/queue/queue-backend.ts'
import { splitDatabaseUrl, withConnection } from '../../../src/storage/ensure-database.ts'
import { createTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import { until } from '../../support/until.ts'

describe('the queue in PostgreSQL, when its database is not there at the start', () => {
  let database: TestDatabase
  let backend: QueueBackend
  before(async () => {
    database = await createTestDatabase()
    backend = createQueueBackend({ redisUrl: undefined, databaseUrl: new Secret(database.url) })
  })
  after(async () => {
    await backend.close()
    await database.drop()
  })

  /** As somebody else sees it: the database goes away, and comes back. */
  const rename = (from: string, to: string) =>
    withConnection(splitDatabaseUrl(database.url).maintenanceUrl, (client) =>
      client.query(`ALTER DATABASE "${from}" RENAME TO "${to}"`),
    )

  // @guards src/queue/patient-postgres.ts:forgetFailures
  it('REL-08: is asked again after a pause, and found when it comes', async () => {
    const { name } = splitDatabaseUrl(database.url)
    await rename(name, `${name}_away`)
    const handled: unknown[] = []
    const worker = backend.openWorker('late', async (data) => handled.push(data), { concurrency: 1 })
    const queue = backend.openQueue('late')
    let errors = 0
    worker.on('error', () => {
      errors += 1
    })
    queue.on('error', () => {})
    try {
      await until('the worker to notice', () => errors > 2)
      expect(errors, 'it pauses').to.be.below(20)
      expect(await queue.add('late', 'lost').catch((error: Error) => error)).to.be.instanceOf(Error)

      await rename(`${name}_away`, name)

      await until('the queue to take jobs', () => queue.add('late', 'taken').then(Boolean, () => false))
      await until('the worker to run them', () => handled.includes('taken'))
    } finally {
      await worker.close()
      await queue.close()
    }
  })
})
