import { hostname, userInfo } from 'node:os'
import type { Act, ActEnd } from '../audit/audit-entry.ts'
import { createAuditLog } from '../audit/audit-log.ts'
import { readSettings } from '../config/settings.ts'
import { createLogger } from '../log/logger.ts'
import { createPostgresAuditStore } from '../storage/audit-store.ts'
import { openPool } from '../storage/prisma-client.ts'
import { requireDatabase } from './require-database.ts'

type OperatorAct = Pick<Act, 'action' | 'targetType'> & {
  /** Default: about the whole installation. */
  readonly tenantId?: string
  readonly targetId?: string
}

/**
 * Does what an operator asked for at the command line, written down in the audit log: who is logged in, on which machine.
 *
 * @param endOf what the result says of its end; default: that it went well
 * @throws Error with a sentence for people when there is no database; and what `perform` throws
 */
export async function recordAct<Result>(
  { action, targetType, tenantId, targetId }: OperatorAct,
  perform: () => Promise<Result>,
  endOf?: (result: Result) => Partial<ActEnd>,
): Promise<Result> {
  const pool = openPool({ url: await requireDatabase(readSettings(process.env)), poolSize: 1 })
  const { run } = createAuditLog({ audit: createPostgresAuditStore(pool), log: createLogger('silent') })
  const act: Act = {
    tenantId: tenantId ?? null,
    channel: 'cli',
    actor: { id: null, kind: 'operator', subject: userInfo().username, credentialId: null, credentialLabel: null },
    address: hostname(),
    requestId: null,
    action,
    targetType,
    targetId: targetId ?? null,
    fields: [],
  }
  try {
    return await run(act, perform, endOf)
  } finally {
    await pool.end()
  }
}
