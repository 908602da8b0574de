import { z } from 'zod'
import { eventTypes } from '../audit/event.ts'
import { parsePlace } from '../audit/event-place.ts'
import { connectionStates, disconnectCodes } from '../connections/connection.ts'
import { credentialScopes, transports } from '../connectors/connector.ts'
import { isId } from '../kernel/id.ts'
import { authBody, authSchema } from './connector-auth.ts'
import { optional, secretText, tokenText } from './fields.ts'

const id = z.uuid()
const time = z.iso.datetime()

const graphemes = new Intl.Segmenter()
const maxCharacters = (max: number) =>
  z
    .string()
    .refine(
      (text) => text.length <= max || [...graphemes.segment(text)].length <= max,
      `must have at most ${max} characters`,
    )

const metadataSchema = z
  .record(z.string().min(1).max(64), z.string().max(512))
  .refine((metadata) => Object.keys(metadata).length <= 16, 'must have at most 16 keys')
  .describe('Up to 16 pairs of text that you choose; `name` and `description` are shown to people.')

const scopeToken = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/, 'must be a scope token (RFC 6749 section 3.3)')
const scopeList = z.array(scopeToken).max(64)

export const createConnectorBody = z.strictObject({
  url: z.string().describe('The address of the MCP server.'),
  client_id: optional(z.string().min(1).max(2048)).describe('An OAuth client that you registered with the server.'),
  client_secret: optional(secretText).describe('Its secret. Never shown again.'),
  metadata: optional(metadataSchema),
  match_preset: optional(z.boolean()).describe(
    'Whether a preset for this URL supplies what you leave out. Default: true.',
  ),
  transport: optional(z.enum(transports)),
  auth: optional(authBody).describe('How the server is authorized. Default: found out by asking it.'),
  scopes: optional(scopeList).describe('OAuth scopes to ask for. Default: those that the server names.'),
  credential_scope: optional(z.enum(credentialScopes)).describe(
    '`user`: each person connects for themselves; `tenant`: one connection for all.',
  ),
  label: optional(maxCharacters(64)).describe('Tells several connectors for one URL apart.'),
})

export const updateConnectorBody = z.strictObject({
  url: z.string().optional(),
  client_id: z.string().min(1).max(2048).nullable().optional(),
  client_secret: secretText.nullable().optional(),
  metadata: metadataSchema.nullable().optional(),
  transport: z.enum(transports).optional(),
  auth: authBody.optional(),
  scopes: scopeList.optional(),
  label: maxCharacters(64).optional(),
  enabled: z.boolean().optional(),
})

const connectRequest = z.strictObject({
  redirect_url: optional(z.string().min(1)).describe('Where the browser goes afterwards. Default: a page of ours.'),
  access_token: optional(tokenText).describe('A token that you have already; then nobody is asked.'),
  completion: optional(z.literal('code')).describe(
    'Connect only after you post the completion that comes back with redirect_url.',
  ),
  subject: optional(z.string().min(1).max(255)).describe('The person for whom a service connects.'),
})

/** Clients of Agent Stack send `{}`; ours may send nothing. */
export const connectBody = connectRequest.nullish().transform((value) => value ?? connectRequest.parse({}))

export const completionBody = z.strictObject({
  completion: secretText.describe('What came with redirect_url.'),
})

export const idParams = z.object({ id: z.string().refine(isId) })

export const limit = z
  .string()
  .regex(/^\d{1,4}$/)
  // to whoever reads the OpenAPI document it is a number, as text as everything in a query
  .meta({ type: 'integer', minimum: 1, maximum: 100 })
  .transform(Number)
  .pipe(z.int().min(1).max(100))
  .default(50)
export const pageToken = z
  .string()
  .max(64)
  .transform((token) => Buffer.from(token, 'base64url').toString('utf8'))
  .refine(isId, 'is not a page token of ours')
  .optional()

export const listConnectorsQuery = z.strictObject({
  limit,
  page_token: pageToken,
  order: z.enum(['asc', 'desc']).default('desc').describe('By time of creation.'),
  state: z.enum(connectionStates).optional(),
  url: z.string().max(2048).optional(),
  preset: z.string().max(128).optional(),
  q: z.string().min(1).max(128).optional().describe('Text in the URL, the label or the metadata.'),
})

export const listEventsQuery = z.strictObject({ limit, page_token: pageToken })

export const connectorSchema = z
  .object({
    id,
    url: z.string(),
    mcp_url: z.string().describe('Where agents and hosts reach this connector.'),
    transport: z.enum(transports),
    state: z.enum(connectionStates),
    auth_request: z
      .object({ type: z.literal('code'), authorization_endpoint: z.string().describe('Open this in a browser.') })
      .nullable(),
    disconnect_reason: z.string().nullable(),
    disconnect_code: z.enum(disconnectCodes).nullable(),
    metadata: z.record(z.string(), z.string()).nullable(),
    preset_id: z.string().nullable(),
    enabled: z.boolean(),
    label: z.string(),
    credential_scope: z.enum(credentialScopes),
    auth: authSchema,
    client_id: z.string().nullable().optional().describe('For those who manage the connector.'),
    has_client_secret: z.boolean().optional().describe('For those who manage the connector.'),
    scopes: z.array(z.string()).describe('What the current grant may do.'),
    pkce_unverified: z
      .boolean()
      .describe('True for a server of 2025-03-26 that publishes nothing: PKCE is used, but perhaps not checked.'),
    token_expires_at: time.nullable(),
    next_refresh_at: time.nullable(),
    reauth_by: time
      .nullable()
      .describe('When a person has to authorize again at the latest, where the server says so.'),
    last_error: z.object({ code: z.string(), at: time, retryable: z.boolean(), attempts: z.int() }).nullable(),
    created_at: time,
    updated_at: time,
    created_by: id,
  })
  .meta({ id: 'Connector' })

export const eventSchema = z
  .object({
    id,
    type: z.enum(eventTypes),
    code: z.string().nullable(),
    class: z.string().nullable().describe('Of a refresh: which class of outcome it was.'),
    detail: z.string().nullable(),
    connector_id: id,
    connection_id: id.nullable(),
    actor_id: id.nullable(),
    at: time,
  })
  .meta({ id: 'Event' })

const eventPlace = z
  .string()
  .transform((text) => parsePlace(text))
  .refine((place) => place !== null, 'is not the id of an event of this stream')

export const watchEventsQuery = z.strictObject({
  types: z
    .string()
    .max(512)
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(eventTypes)))
    .optional()
    .describe('Event types, separated by commas. Default: all.'),
  connector_id: id.optional(),
  last_event_id: eventPlace
    .optional()
    .describe('Read on after this event: the last `id` that you have seen. The header `Last-Event-ID` says the same.'),
})

export const lastEventId = eventPlace

export const presetSchema = z
  .object({
    id: z.string(),
    url: z.string(),
    metadata: z.record(z.string(), z.string()).nullable(),
    auth_hint: z
      .enum(['oauth2', 'token', 'none'])
      .nullable()
      .describe('What connecting takes, as the vendor says. Connecting finds out by itself.'),
    verified: z
      .enum(['none', 'metadata', 'connected'])
      .describe(
        'How far the entry was tried: not at all, its discovery documents were read, an account was connected.',
      ),
  })
  .meta({ id: 'Preset' })

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    request_id: z.string(),
  })
  .meta({ id: 'Problem' })

/** The envelope of every list. */
export function listSchema<Item extends z.ZodType>(item: Item) {
  return z.object({
    items: z.array(item),
    total_count: z.int(),
    has_more: z.boolean(),
    next_page_token: z.string().nullable(),
  })
}
