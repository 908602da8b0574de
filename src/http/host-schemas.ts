import { z } from 'zod'
import { principalKinds } from '../kernel/principal.ts'
import { optional } from './fields.ts'
import { limit, pageToken } from './schemas.ts'

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

export const listGrantsQuery = z.strictObject({ limit, page_token: pageToken })

export const grantSchema = z
  .object({
    id: z.uuid(),
    connector_id: z.uuid(),
    connector_url: z.string().describe('The MCP server behind it.'),
    subject: z.string().describe('Who gave it.'),
    kind: z.enum(principalKinds),
    client_id: z.string(),
    client_name: z.string().describe('The app, as the person saw it. It named itself.'),
    scope: z.string(),
    created_at: z.iso.datetime(),
    last_used_at: z.iso.datetime().nullable().describe('When the app last renewed its access.'),
    expires_at: z.iso.datetime(),
  })
  .meta({ id: 'Grant' })

export const installSchema = z
  .object({
    mcp_url: z.url().describe('What a host needs; everything else it finds out by itself.'),
    hosts: z.array(
      z.object({
        id: z.string(),
        title: z.string(),
        reachable: z.boolean().describe('False where the host runs elsewhere and this address is not public.'),
        ways: z.array(
          z.object({
            kind: z
              .enum(['link', 'command', 'json', 'url'])
              .describe('To open, to run, to add to a settings file, or to paste where the host asks for a URL.'),
            value: z.string(),
          }),
        ),
      }),
    ),
  })
  .meta({ id: 'Installation' })
