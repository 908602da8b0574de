import { isAppError } from '../kernel/app-error.ts'
import type { Logger } from '../log/logger.ts'
import type { Act, ActEnd, AuditStore } from './audit-entry.ts'

type Deps = { readonly audit: Pick<AuditStore, 'begin' | 'end' | 'add'>; readonly log: Pick<Logger, 'error'> }

const refusals: ReadonlySet<string> = new Set(['unauthenticated', 'forbidden', 'not_found'])

/** True for what says no to the one who asks: 401, 403 and 404. */
export function isRefusal(error: unknown): boolean {
  return isAppError(error) && refusals.has(error.code)
}

/**
 * The audit log, written ahead: an act is written down before it is done, so that none is done without an entry, also where a
 * process dies in its midst or the act is an HTTP request that no transaction can hold (docs/adr/0015).
 */
export function createAuditLog({ audit, log }: Deps) {
  async function end(id: string, act: Act, result: ActEnd): Promise<void> {
    try {
      await audit.end(id, result)
    } catch (error) {
      // it is done: who asked is told so, and the entry stays open, which is the truth
      log.error({ err: error, auditId: id, action: act.action, outcome: result.outcome }, 'audit entry not ended')
    }
  }

  return {
    /**
     * Does it, between the two halves of its entry.
     *
     * @param endOf what the result says of its end: what was made, or why it came to nothing; default: that it went well
     * @throws AppError `storage_unavailable` when it cannot be written down, and nothing is done; and what `perform` throws
     */
    async run<Result>(
      act: Act,
      perform: () => Promise<Result>,
      endOf: (result: Result) => Partial<ActEnd> = () => ({}),
    ): Promise<Result> {
      const id = await audit.begin(act)
      let result: Result
      try {
        result = await perform()
      } catch (error) {
        await end(id, act, failureOf(error))
        throw error
      }
      await end(id, act, { outcome: 'ok', code: null, ...endOf(result) })
      return result
    },

    /** Writes down what was refused before it began. Where that fails the refusal stands all the same. */
    async refused(act: Act, error: unknown): Promise<void> {
      try {
        await audit.add(act, failureOf(error))
      } catch (failure) {
        log.error({ err: failure, action: act.action }, 'refusal not written down')
      }
    },
  }
}

export type AuditLog = ReturnType<typeof createAuditLog>

function failureOf(error: unknown): ActEnd {
  return { outcome: isRefusal(error) ? 'refused' : 'failed', code: isAppError(error) ? error.code : 'internal' }
}
