import type { LoginMethod, Person, PersonStore } from '../authorization-server/person-session.ts'
import { newId } from '../kernel/id.ts'
import type { PrincipalKind } from '../kernel/principal.ts'
import type { Principal as PrincipalRow } from './generated/client.ts'
import type { Database } from './prisma-client.ts'

const toPerson = ({ id, tenantId, kind, subject }: PrincipalRow): Person => ({
  id,
  tenantId,
  kind: kind as PrincipalKind,
  subject,
})

/** People, their sessions and connect tokens, in PostgreSQL. */
export function createPrismaPersonStore(database: Database): PersonStore {
  return {
    async ensure(who) {
      await database.principal.createMany({ data: [{ ...who, id: newId() }], skipDuplicates: true })
      return toPerson(await database.principal.findUniqueOrThrow({ where: { tenantId_kind_subject: who } }))
    },

    async addSession({ person, ...session }) {
      await database.personSession.deleteMany({
        where: { expiresAt: { lt: new Date(session.expiresAt.getTime() - dayMs) } },
      })
      await database.personSession.create({
        data: { ...session, tenantId: person.tenantId, principalId: person.id },
      })
    },

    async findSession(tokenHash, now) {
      const row = await database.personSession.findFirst({
        where: { tokenHash, expiresAt: { gt: now } },
        include: { principal: true },
      })
      if (row === null) return null
      const { id, connectorId, method, expiresAt, principal } = row
      return { id, connectorId, method: method as LoginMethod, expiresAt, person: toPerson(principal) }
    },

    async endSession(tokenHash) {
      await database.personSession.deleteMany({ where: { tokenHash } })
    },

    async addConnectToken(token) {
      await database.connectToken.create({ data: token })
    },

    async takeConnectToken(tokenHash, connectorId, now) {
      // one statement: of two browsers with one token, one gets in
      const [taken] = await database.connectToken.updateManyAndReturn({
        where: { tokenHash, connectorId, consumedAt: null, expiresAt: { gt: now } },
        data: { consumedAt: now },
      })
      if (taken === undefined) return null
      return toPerson(await database.principal.findUniqueOrThrow({ where: { id: taken.principalId } }))
    },
  }
}

/** Sessions are swept a day after their end. */
const dayMs = 86_400_000
