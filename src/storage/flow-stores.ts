import type {
  Flow,
  FlowStore,
  PinnedAuthorization,
  Registration,
  RegistrationStore,
  Ticket,
  TicketStore,
} from '../connections/store.ts'
import { type Flow as FlowRow, Prisma, type Ticket as TicketRow } from './generated/client.ts'
import type { Database } from './prisma-client.ts'
import { isUniqueViolation } from './storage-errors.ts'

const authorizationJson = (authorization: PinnedAuthorization) =>
  JSON.parse(JSON.stringify(authorization)) as Prisma.InputJsonObject

const toTicket = ({ authorization, ...row }: TicketRow): Ticket => ({
  ...row,
  authorization: authorization as PinnedAuthorization | null,
})

const toFlow = ({ authorization, ...row }: FlowRow): Flow => ({
  ...row,
  authorization: authorization as unknown as PinnedAuthorization,
})

/** Links in PostgreSQL. */
export function createPrismaTicketStore(database: Database): TicketStore {
  return {
    async create({ authorization, ...ticket }) {
      await database.ticket.create({
        data: { ...ticket, authorization: authorization === null ? Prisma.DbNull : authorizationJson(authorization) },
      })
    },

    async findByHash(ticketHash, now) {
      const row = await database.ticket.findFirst({ where: { ticketHash, expiresAt: { gt: now } } })
      return row === null ? null : toTicket(row)
    },

    async findCurrent(connections, now) {
      const epochs = new Map(connections.map(({ id, grantEpoch }) => [id, grantEpoch]))
      const rows = await database.ticket.findMany({
        where: { connectionId: { in: [...epochs.keys()] }, expiresAt: { gt: now } },
        orderBy: { id: 'asc' },
      })
      return new Map(
        rows
          .filter((row) => row.grantEpoch === epochs.get(row.connectionId))
          .map((row) => [row.connectionId, toTicket(row)]),
      )
    },

    async unpin({ id, tenantId }) {
      await database.ticket.updateMany({
        where: { connectionId: id, tenantId },
        data: { authorization: Prisma.DbNull },
      })
    },
  }
}

/** Authorization attempts in PostgreSQL. */
export function createPrismaFlowStore(database: Database): FlowStore {
  return {
    async create({ authorization, ...flow }) {
      await database.flow.create({ data: { ...flow, authorization: authorizationJson(authorization) } })
    },

    async consume(stateHash, browserHash, now) {
      // one statement: of two callbacks with one state, one gets the row
      const [row] = await database.flow.updateManyAndReturn({
        where: { stateHash, browserHash, consumedAt: null, expiresAt: { gt: now } },
        data: { consumedAt: now },
      })
      return row === undefined ? null : toFlow(row)
    },

    async park(flow, completionHash, sealedCallback) {
      await database.flow.updateMany({
        where: { id: flow.id, tenantId: flow.tenantId },
        data: { completionHash, sealedCallback },
      })
    },

    async takeParked(completionHash, connectorId, initiatorPrincipalId, now) {
      const where = { completionHash, initiatorPrincipalId, connection: { connectorId }, expiresAt: { gt: now } }
      const parked = await database.flow.findFirst({ where })
      if (parked === null) return null
      // the hash goes in one statement with the check that it is there: of two takers, one gets it
      const { count } = await database.flow.updateMany({
        where: { id: parked.id, completionHash },
        data: { completionHash: null, sealedCallback: null },
      })
      return count === 1 ? toFlow(parked) : null
    },
  }
}

/** Dynamic client registrations in PostgreSQL. */
export function createPrismaRegistrationStore(database: Database): RegistrationStore {
  return {
    find: async (tenantId, issuer, redirectUri) =>
      (await database.clientRegistration.findFirst({
        where: { tenantId, issuer, redirectUri },
      })) as Registration | null,

    findById: async (tenantId, id) =>
      (await database.clientRegistration.findFirst({ where: { tenantId, id } })) as Registration | null,

    async save(registration, now) {
      const { tenantId, issuer, redirectUri } = registration
      const key = { tenantId, issuer, redirectUri }
      try {
        return (await database.clientRegistration.create({ data: registration })) as Registration
      } catch (error) {
        if (!isUniqueViolation(error)) throw error
      }
      const [replaced] = await database.clientRegistration.updateManyAndReturn({
        where: { ...key, expiresAt: { lte: now } },
        data: registration,
      })
      return (replaced ?? (await database.clientRegistration.findFirstOrThrow({ where: key }))) as Registration
    },

    async delete(tenantId, id) {
      await database.clientRegistration.deleteMany({ where: { tenantId, id } })
    },
  }
}
