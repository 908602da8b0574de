import type { AuditEntry, AuditFilter, AuditStore } from '../../audit/audit-entry.ts'
import { auditEntrySchema, exportAuditQuery, listAuditQuery } from '../audit-schemas.ts'
import { present } from '../fields.ts'
import { representAuditEntry, representList } from '../representations.ts'
import { defineRoute, defineStream, type Route } from '../route.ts'
import { listSchema } from '../schemas.ts'

type Deps = { readonly audit: Pick<AuditStore, 'list' | 'listAfter'> }

/** So many at a time are in memory. */
const batchSize = 500

/** The audit log of a tenant, for those who may read it. */
export function createAuditRoutes({ audit }: Deps): Route[] {
  return [
    defineRoute({
      method: 'get',
      path: '/audit',
      operationId: 'listAudit',
      summary: 'Who did what, or tried to, from where, and what came of it',
      scope: 'audit',
      query: listAuditQuery,
      success: {
        status: 200,
        description: 'Entries, newest first; `total_count` counts 10,000 at most.',
        schema: listSchema(auditEntrySchema),
      },
      errors: [],
      handle: async ({ principal, query }) => {
        const { limit, page_token: before, ...given } = query
        const page = await audit.list(principal, present({ limit, before, ...readFilter(given) }))
        return representList(page.items.map(representAuditEntry), page.totalCount, page.hasMore)
      },
    }),

    defineStream({
      path: '/audit/export',
      operationId: 'exportAudit',
      summary: 'The same as a file, one entry a line, oldest first',
      scope: 'audit',
      query: exportAuditQuery,
      success: {
        description:
          'Lines of JSON. A file that ends with a whole line, and whose transfer was not cut off, is complete.',
        schema: auditEntrySchema,
        stream: 'application/x-ndjson',
      },
      errors: [],
      handle: async function* ({ principal, query }) {
        const { limit, after: start, ...given } = query
        const filter = readFilter(given)
        let left = limit
        let after = start
        while (left > 0) {
          const size = Math.min(batchSize, left)
          const entries: AuditEntry[] = await audit.listAfter(principal, present({ limit: size, after, ...filter }))
          if (entries.length > 0)
            yield entries.map((entry) => `${JSON.stringify(representAuditEntry(entry))}\n`).join('')
          if (entries.length < size) return
          left -= entries.length
          after = entries.at(-1)?.id
        }
      },
    }),
  ]
}

type Given = Omit<ReturnType<typeof listAuditQuery.parse>, 'limit' | 'page_token'>

function readFilter({ target_id: targetId, ...rest }: Given): AuditFilter {
  return present({ targetId, ...rest })
}
