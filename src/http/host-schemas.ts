import { z } from 'zod'
import { principalKinds } from '../kernel/principal.ts'
import { optional } from './fields.ts'

const connectTokenRequest = z.strictObject({
  subject: optional(z.string().min(1).max(255)).describe('Whom it makes known. Default: you. Required for a service.'),
  kind: optional(z.enum(['user', 'agent'])).describe('What the subject is. Default: user.'),
  ttl_seconds: z.int().min(60).max(3600).default(600).describe('How long it can be pasted.'),
})

export const connectTokenBody = connectTokenRequest
  .nullish()
  .transform((value) => value ?? connectTokenRequest.parse({}))

export const connectTokenSchema = z
  .object({
    connect_token: z.string().describe('Paste it on the consent page, once. Never shown again.'),
    subject: z.string(),
    kind: z.enum(principalKinds),
    expires_at: z.iso.datetime(),
  })
  .meta({ id: 'ConnectToken' })
