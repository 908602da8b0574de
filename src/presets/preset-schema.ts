import { z } from 'zod'
import { isAppError } from '../kernel/app-error.ts'
import { parseResourceUrl } from '../kernel/resource-url.ts'
import { authKinds, verifiedLevels } from './preset.ts'

const maxMetadataKeys = 16
const maxMetadataKeyLength = 64
const maxMetadataValueLength = 512

/** What we set ourselves in an authorization request (RFC 6749 4.1.1, 7636, 8707, 9101; OpenID Connect Core 3.1.2.1). */
const ownParameters = new Set([
  ...['response_type', 'client_id', 'redirect_uri', 'scope', 'state', 'resource', 'nonce', 'response_mode'],
  ...['code_challenge', 'code_challenge_method', 'request', 'request_uri', 'client_secret', 'code_verifier'],
])

const id = z
  .string()
  .max(64)
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'must be lower-case letters, digits and single dashes')
  .describe('Names the preset in the API. In a file: the name of the file without `.yaml`.')

const url = z
  .string()
  .transform((raw, context) => {
    try {
      return parseResourceUrl(raw)
    } catch (error) {
      if (!isAppError(error, 'url_invalid')) throw error
      context.addIssue({ code: 'custom', message: error.publicDetail ?? 'This is not a URL.' })
      return z.NEVER
    }
  })
  .describe('The address of the MCP server. Connectors match when theirs is the same one, and only then.')

const metadataValue = z.string().max(maxMetadataValueLength)
const isSmallMap = (map: object): boolean =>
  Object.keys(map).length <= maxMetadataKeys && Object.keys(map).every((key) => key.length <= maxMetadataKeyLength)
const smallMap = {
  message: `at most ${maxMetadataKeys} keys of at most ${maxMetadataKeyLength} characters`,
}
const smallMapSchema = { maxProperties: maxMetadataKeys, propertyNames: { maxLength: maxMetadataKeyLength } }

const fileMetadata = z
  .object({
    name: metadataValue.min(1).describe('What people call it.'),
    description: metadataValue.min(1).describe('What it is good for, in a sentence or two.'),
    documentation: z
      .url({ protocol: /^https$/ })
      .max(maxMetadataValueLength)
      .optional()
      .describe("The vendor's manual."),
    category: metadataValue.min(1).optional().describe('For grouping in a catalog.'),
  })
  .catchall(metadataValue)
  .refine(isSmallMap, smallMap)
  .meta(smallMapSchema)
  .describe('Shown with connectors that bring no metadata of their own. Strings only.')

const listMetadata = z.record(z.string().min(1), metadataValue).refine(isSmallMap, smallMap)

const clientId = z
  .string()
  .min(1)
  .max(2048)
  .describe('A client that was registered at the authorization server by hand.')

const clientSecretEnv = z
  .string()
  .regex(/^[A-Z][A-Z0-9_]{0,127}$/, 'must be the name of an environment variable, such as STRIPE_CLIENT_SECRET')
  .describe("The environment variable that holds the client's secret.")

const issuer = z
  .url({ protocol: /^https?$/ })
  .refine((value) => !/[?#]/.test(value), 'must not have a query or a fragment')
  .describe(
    'The issuer that must be found, to the letter (RFC 8414 section 2). Without it the first one found is pinned.',
  )

const scopes = z
  .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/, 'must be a scope token (RFC 6749 section 3.3)'))
  .min(1)
  .max(64)
  .describe('Asked for when neither the connector nor the server says which.')

const quirks = z
  .strictObject({
    omit_resource: z.boolean().optional().describe("Leave out RFC 8707's `resource`, for servers that refuse it."),
    pkce_unlisted: z
      .boolean()
      .optional()
      .describe('Go on where the metadata does not list S256, for servers that know it and do not say so.'),
    issuer_alias: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe('What the MCP server calls its authorization server, where the metadata there calls itself `issuer`.'),
    authorize_parameters: z
      .record(z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/), z.string().max(512))
      .refine((map) => !Object.keys(map).some((name) => ownParameters.has(name)), 'must not set what the protocol sets')
      .optional()
      .describe('More parameters for the authorization request.'),
  })
  .describe('What the authorization server needs beside the letter of the specification.')

const auth = z
  .strictObject({
    type: z
      .enum(authKinds)
      .describe(
        '`oauth2`: a person authorizes in the browser; `token`: a fixed token, such as an API key; `none`: open.',
      ),
    header: z
      .string()
      .regex(/^[A-Za-z0-9-_]{1,64}$/, "must be a header's name")
      .optional()
      .describe('Where a token goes, when not into `Authorization` behind `Bearer`.'),
    client: z
      .enum(['needed'])
      .optional()
      .describe('`needed`: the authorization server registers no clients by itself; make one there by hand.'),
  })
  .describe('What connecting takes. A hint for people: connecting finds out by itself.')

const source = z
  .strictObject({
    document: z.url({ protocol: /^https$/ }).describe('The document that this entry was written from.'),
    date: z.iso.date().describe('The day on which it was read, or of the version that was read.'),
  })
  .describe('Where the facts are from.')

const verified = z
  .enum(verifiedLevels)
  .describe(
    '`none`: not tried; `metadata`: its discovery documents were read; `connected`: a real account was connected.',
  )

const secretNeedsId = {
  message: 'a client secret needs the client_id it belongs to',
  path: ['client_id'],
}

const aliasNeedsIssuer = { message: 'an issuer_alias needs the issuer that it stands for', path: ['issuer'] }
const hasIssuerWithAlias = (preset: {
  issuer?: string | undefined
  quirks?: z.output<typeof quirks> | undefined
}): boolean => preset.quirks?.issuer_alias === undefined || preset.issuer !== undefined

/** One file under presets/. Secrets stand in the environment; the file names the variable. */
export const presetFileSchema = z
  .strictObject({
    id,
    url,
    metadata: fileMetadata,
    auth: auth.optional(),
    client_id: clientId.optional(),
    client_secret_env: clientSecretEnv.optional(),
    issuer: issuer.optional(),
    scopes: scopes.optional(),
    quirks: quirks.optional(),
    source,
    verified,
  })
  .refine((preset) => preset.client_secret_env === undefined || preset.client_id !== undefined, secretNeedsId)
  .refine(hasIssuerWithAlias, aliasNeedsIssuer)

/** One entry of the CONNECTOR__PRESETS array. It comes from a secret store, so it may hold the secret itself. */
export const presetEntrySchema = z
  .strictObject({
    id: id.optional(),
    url,
    metadata: listMetadata.optional(),
    auth: auth.optional(),
    client_id: clientId.optional(),
    client_secret: z.string().min(1).max(4096).optional(),
    client_secret_env: clientSecretEnv.optional(),
    issuer: issuer.optional(),
    scopes: scopes.optional(),
    quirks: quirks.optional(),
    source: source.optional(),
    verified: verified.optional(),
  })
  .refine(
    (preset) =>
      (preset.client_secret === undefined && preset.client_secret_env === undefined) || preset.client_id !== undefined,
    secretNeedsId,
  )
  .refine((preset) => preset.client_secret === undefined || preset.client_secret_env === undefined, {
    message: 'give client_secret or client_secret_env, not both',
    path: ['client_secret_env'],
  })
  .refine(hasIssuerWithAlias, aliasNeedsIssuer)

/** The JSON Schema of a preset file: what `presets/preset.schema.json` must hold, for editors. */
export function presetFileJsonSchema(): Record<string, unknown> {
  return { title: 'A Patchbay preset', ...z.toJSONSchema(presetFileSchema, { io: 'input', target: 'draft-7' }) }
}
