import { Prisma } from './generated/client.ts'

/** True when a write met a unique index: the row is there already (Prisma P2002). */
export function isUniqueViolation(error: unknown): boolean {
  return error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002'
}
