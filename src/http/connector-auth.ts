import { z } from 'zod'
import { type Connector, type ConnectorAuthType, connectorAuthTypes } from '../connectors/connector.ts'
import type { AuthRequest } from '../connectors/connector-auth.ts'
import { Secret } from '../kernel/secret.ts'
import { signingAlgorithms } from '../upstream/private-key.ts'
import { optional, secretFormat, secretText, tokenText } from './fields.ts'

const pemText = z
  .string()
  .max(16_384)
  .regex(/^-----BEGIN PRIVATE KEY-----\s/, 'must be a private key in PKCS #8 PEM')
  .meta(secretFormat)
  .transform((value) => new Secret(value))

/** Headers that are the protocol's, or that mean something between two machines only. */
const reservedHeaders =
  /^(accept|accept-encoding|connection|content-.*|cookie|date|expect|host|keep-alive|last-event-id|mcp-.*|origin|proxy-.*|sec-.*|te|trailer|transfer-encoding|upgrade|via|x-forwarded-.*|forwarded)$/i
const headerName = z
  .string()
  .regex(/^[!#$%&'*+.^_`|~0-9a-z-]{1,64}$/i, 'must be the name of a header')
  .refine((name) => !reservedHeaders.test(name), 'must not be a header of the protocol')

/** `auth` in a request. It replaces what was said before as a whole. */
export const authBody = z.discriminatedUnion('type', [
  z.strictObject({ type: z.enum(['auto', 'none', 'oauth2']) }),
  z.strictObject({
    type: z.literal('token'),
    token: optional(tokenText).describe('Never shown again. Default: comes with each connect, as access_token.'),
    header: optional(headerName).describe('Default: Authorization.'),
    scheme: optional(z.string().regex(/^[!#$%&'*+.^_`|~0-9a-z-]{0,64}$/i)).describe(
      'What stands before the token. Default: Bearer in Authorization, nothing elsewhere.',
    ),
  }),
  z
    .strictObject({
      type: z.literal('client_credentials'),
      client_id: z.string().min(1).max(2048),
      client_secret: optional(secretText).describe('Never shown again.'),
      private_key: optional(pemText).describe('PKCS #8 in PEM, for private_key_jwt. Never shown again.'),
      key_id: optional(z.string().min(1).max(256)).describe('How the authorization server knows the key.'),
      signing_algorithm: optional(z.enum(signingAlgorithms)).describe('Default: what the key is made for.'),
    })
    .refine(({ client_secret, private_key }) => (client_secret === undefined) !== (private_key === undefined), {
      message: 'give either client_secret or private_key',
      path: ['client_secret'],
    }),
])

/** `auth` in an answer. */
export const authSchema = z.object({
  type: z.enum(connectorAuthTypes),
  header: z.string().optional().describe('With type token.'),
  scheme: z.string().optional().describe('With type token.'),
  has_token: z.boolean().optional().describe('With type token, for those who manage the connector.'),
  has_private_key: z.boolean().optional().describe('With type client_credentials, for those who manage the connector.'),
  key_id: z.string().nullable().optional(),
  signing_algorithm: z.enum(signingAlgorithms).nullable().optional(),
})

export function readAuth(body: z.output<typeof authBody>): AuthRequest {
  if (body.type !== 'client_credentials') return body as AuthRequest
  const { client_id: clientId, client_secret, private_key, key_id, signing_algorithm } = body
  return {
    type: body.type,
    clientId,
    ...(client_secret === undefined ? {} : { clientSecret: client_secret }),
    ...(private_key === undefined ? {} : { privateKey: private_key }),
    ...(key_id === undefined ? {} : { keyId: key_id }),
    ...(signing_algorithm === undefined ? {} : { signingAlgorithm: signing_algorithm }),
  }
}

/** @param isManageable whether the client facts may be shown */
export function representAuth(connector: Connector, isManageable: boolean): z.input<typeof authSchema> {
  const type: ConnectorAuthType = connector.authType
  if (!isManageable) return { type }
  if (type === 'token') {
    const header = connector.tokenHeader ?? 'Authorization'
    const usual = header.toLowerCase() === 'authorization' ? 'Bearer' : ''
    return { type, header, scheme: connector.tokenScheme ?? usual, has_token: connector.sealedToken !== null }
  }
  if (type !== 'client_credentials') return { type }
  const { keyId, signingAlgorithm, sealedPrivateKey } = connector
  return { type, has_private_key: sealedPrivateKey !== null, key_id: keyId, signing_algorithm: signingAlgorithm }
}
