import { z } from 'zod'

const text = z.string().min(1).max(2048)

/**
 * What was found out about the authorization server of one MCP server, checked and ready to be pinned. It is stored
 * as JSON with a link or an attempt, and read back with this schema.
 */
export const authorizationServerSchema = z.object({
  /** Exactly as its metadata spells it; compared as a plain string (RFC 8414 section 3.3, RFC 9207). */
  issuer: text,
  /** Null only where nobody is to be sent there: a client that acts for itself. */
  authorizationEndpoint: text.nullable(),
  tokenEndpoint: text,
  revocationEndpoint: text.optional(),
  registrationEndpoint: text.optional(),
  /** As listed; empty when the server lists none. */
  tokenEndpointAuthMethods: z.array(text),
  /** Whether its responses carry `iss` (RFC 9207 section 3). */
  isIssParameterSupported: z.boolean(),
  isClientIdMetadataDocumentSupported: z.boolean(),
  /** False where S256 is not advertised: 2025-03-26 without metadata, or an operator says that it works. It is sent anyway. */
  isPkceVerified: z.boolean(),
  /** True when the endpoints are the default ones of 2025-03-26, since nothing is published. */
  isLegacyFallback: z.boolean(),
  /** RFC 8707's `resource`: character by character as the server gives it. Null: to be left out. */
  resource: text.nullable(),
  /** What to ask for; empty: name no scope. */
  scopes: z.array(text),
  scopesSource: z.enum(['challenge', 'protected_resource_metadata', 'none']),
})

export type AuthorizationServer = Readonly<z.infer<typeof authorizationServerSchema>>
