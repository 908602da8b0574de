import { expect } from 'chai'
import { newId } from '../../../src/kernel/id.ts'
import { Secret } from '../../../src/kernel/secret.ts'
import { type Database, openDatabase } from '../../../src/storage/prisma-client.ts'
import { createTestDatabase, type TestDatabase } from '../../support/test-database.ts'

describe('a filter that is undefined', () => {
  let test: TestDatabase
  let database: Database
  before(async () => {
    test = await createTestDatabase()
    database = openDatabase({ url: new Secret(test.url), poolSize: 2 })
    for (const slug of ['a', 'b']) await database.tenant.create({ data: { id: newId(), slug, name: slug } })
  })
  after(async () => {
    await database.$disconnect()
    await test.drop()
  })

  // As a caller without types would do it, or one with a value that is not there.
  const nothing = undefined as unknown as string
  const queries: Readonly<Record<string, () => Promise<unknown>>> = {
    findFirst: () => database.tenant.findFirst({ where: { slug: nothing } }),
    findMany: () => database.tenant.findMany({ where: { slug: nothing } }),
    updateMany: () => database.tenant.updateMany({ where: { slug: nothing }, data: { name: 'changed' } }),
    deleteMany: () => database.tenant.deleteMany({ where: { slug: nothing } }),
    'a filter within a filter': () => database.tenant.deleteMany({ where: { AND: [{ slug: nothing }] } }),
  }
  for (const [name, query] of Object.entries(queries)) {
    // @guards src/storage/generated/internal/class.ts:previewFeatures
    it(`TN-05: is an error, not all rows: ${name}`, async () => {
      const failure = await query().catch((error: unknown) => error)
      expect(failure).to.have.property('name', 'PrismaClientValidationError')
      expect(await database.tenant.findMany({ select: { name: true }, orderBy: { slug: 'asc' } })).to.deep.equal([
        { name: 'a' },
        { name: 'b' },
      ])
    })
  }

  it('with a value finds its row (control)', async () => {
    expect(await database.tenant.findFirst({ where: { slug: 'b' } })).to.include({ name: 'b' })
  })
})
