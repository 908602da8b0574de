import { z } from 'zod'
import { principalKinds, roles, scopes } from '../kernel/principal.ts'
import { optional } from './fields.ts'

const text = z.string().trim().min(1).max(256)
const time = z.iso.datetime()

export const createApiKeyBody = z.strictObject({
  label: text.describe('What the key is for; people who connect see it.'),
  kind: z.enum(principalKinds).describe('Whom the key speaks for.'),
  subject: text.describe('Names the person, agent or service in your organisation.'),
  role: optional(z.enum(roles)).describe('Default: `member`. Admins manage what the organisation shares.'),
  scopes: optional(z.array(z.enum(scopes)).min(1).max(scopes.length)).describe(
    'Default: all that the role may have and you have yourself.',
  ),
  expires_at: optional(z.iso.datetime({ offset: true }).transform((value) => new Date(value))).describe(
    'When the key stops working. Default: never.',
  ),
})

const fields = {
  id: z.uuid(),
  label: z.string(),
  kind: z.enum(principalKinds),
  subject: z.string(),
  role: z.enum(roles),
  scopes: z.array(z.enum(scopes)),
  hint: z.string().describe('How the key begins, to tell keys apart.'),
  expires_at: time.nullable(),
  revoked_at: time.nullable(),
  last_used_at: time.nullable().describe('To ten minutes.'),
  created_at: time,
}

export const apiKeySchema = z.object(fields).meta({ id: 'ApiKey' })

export const apiKeyWithSecretSchema = z
  .object({ ...fields, key: z.string().describe('The key itself. It is shown this once.') })
  .meta({ id: 'ApiKeyWithSecret' })
