import { z } from 'zod'
import { callOutcomes } from '../insight/call.ts'
import { callMethods } from '../insight/read-message.ts'
import { callGroups } from '../insight/store.ts'
import { principalKinds } from '../kernel/principal.ts'

const time = z.iso.datetime({ offset: true }).transform((value) => new Date(value))
const name = z.string().min(1).max(64)
const milliseconds = z.number()

export const analyticsQuery = z.strictObject({
  from: time
    .optional()
    .describe('Calls that ended since then; rounded down to the hour. Default: 24 hours before `to`.'),
  to: time.optional().describe('Calls that ended before; rounded up to the hour. Default: now.'),
  group_by: z
    .string()
    .max(128)
    .default('connector')
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(callGroups)).max(4))
    .refine((groups) => new Set(groups).size === groups.length, 'names a group twice')
    .refine((groups) => !(groups.includes('hour') && groups.includes('day')), 'takes hour or day, not both')
    .describe(`What to tell apart, up to four of ${callGroups.join(', ')}, separated by commas.`),
  connector_id: z.uuid().optional(),
  principal_id: z.uuid().optional(),
  method: z.enum(callMethods).optional(),
  tool: name.optional(),
  client: name.optional(),
  outcome: z.enum(callOutcomes).optional(),
  limit: z
    .string()
    .regex(/^\d{1,4}$/)
    .transform(Number)
    .pipe(z.int().min(1).max(1000))
    .default(100),
})

const callStatisticsSchema = z
  .object({
    connector_id: z.uuid().nullable().optional().describe('Null: the call did not get so far.'),
    method: z.string().optional(),
    tool: z.string().optional().describe('Of calls of tools. `other`: beyond the number that is told apart.'),
    principal: z
      .object({ id: z.uuid(), kind: z.enum(principalKinds).nullable(), subject: z.string().nullable() })
      .optional(),
    client: z.string().optional().describe('As it calls itself. Empty where it did not.'),
    outcome: z.enum(callOutcomes).optional(),
    time: z.iso.datetime().optional().describe('When the hour or day began, UTC.'),
    calls: z.int(),
    failed: z.int().describe('Those that ended neither `ok` nor `client_gone`.'),
    latency_ms: z
      .object({ mean: milliseconds, p50: milliseconds, p90: milliseconds, p99: milliseconds })
      .nullable()
      .describe(
        'From the request to the end of the answer. Percentiles are estimated from classes, the last of which begins at 300000. Null: nothing that has an end.',
      ),
  })
  .meta({ id: 'CallStatistics' })

export const analyticsSchema = z
  .object({
    from: z.iso.datetime(),
    to: z.iso.datetime(),
    items: z.array(callStatisticsSchema),
    total_count: z.int(),
    has_more: z.boolean().describe('There are more than `limit`; ask for less at once by filters.'),
    next_page_token: z.null(),
  })
  .meta({ id: 'Analytics' })
