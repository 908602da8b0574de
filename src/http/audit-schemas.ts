import { z } from 'zod'
import { actorKinds, auditChannels, auditOutcomes } from '../audit/audit-entry.ts'
import { limit, pageToken } from './schemas.ts'

const time = z.iso.datetime({ offset: true }).transform((value) => new Date(value))
const outcomes = [...auditOutcomes, 'unfinished'] as const

const filter = {
  target_id: z.uuid().optional().describe('The connector, API key, webhook or grant that it was about.'),
  subject: z.string().min(1).max(255).optional().describe('Who did it.'),
  action: z.string().max(64).optional().describe('The operation, as `operationId` in this document names it.'),
  channel: z.enum(auditChannels).optional(),
  outcome: z.enum(outcomes).optional(),
  since: time.optional().describe('At that time or later.'),
  until: time.optional().describe('Before that time.'),
}

export const listAuditQuery = z.strictObject({ limit, page_token: pageToken, ...filter })

export const exportAuditQuery = z.strictObject({
  after: z.uuid().optional().describe('Read on after this entry: the last `id` of the export before.'),
  limit: z
    .string()
    .regex(/^\d{1,7}$/)
    .transform(Number)
    .pipe(z.int().min(1).max(1_000_000))
    .default(100_000)
    .describe('Lines at most.'),
  ...filter,
})

export const auditEntrySchema = z
  .object({
    id: z.uuid(),
    at: z.iso.datetime(),
    ended_at: z.iso.datetime().nullable(),
    channel: z.enum(auditChannels).describe('The API, a page of ours in a browser, or the command line.'),
    actor: z.object({
      id: z.uuid().nullable(),
      kind: z.enum(actorKinds),
      subject: z.string(),
      api_key_id: z.uuid().nullable(),
      api_key_label: z.string().nullable(),
    }),
    address: z.string().nullable().describe('Of the client, past the proxies that are trusted.'),
    request_id: z.uuid().nullable(),
    action: z.string(),
    target: z.object({ type: z.string(), id: z.string() }).nullable(),
    fields: z.array(z.string()).describe('Names of what was given; never a value.'),
    outcome: z.enum(outcomes).describe('`unfinished`: under way, or its process ended before it did.'),
    code: z.string().nullable().describe('Why not, as problem documents name it.'),
  })
  .meta({ id: 'AuditEntry' })
