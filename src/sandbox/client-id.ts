import type { AdapterPayload } from 'oidc-provider'
import { z } from 'zod'
import { randomToken } from '../kernel/secret.ts'

const prefix = 'sandbox.'

const publicRegistration = z.object({
  client_name: z.string().optional(),
  application_type: z.enum(['native', 'web']).optional(),
  redirect_uris: z.array(z.string()).min(1),
  token_endpoint_auth_method: z.literal('none').default('none'),
})

/**
 * A client identifier for a registration (RFC 7591 section 3.2.1).
 *
 * A public client's identifier carries its registration, so that a client that registered before the sandbox was
 * restarted is still known. Nothing is lost by it: anyone may register anything here. Clients with a secret get an
 * opaque identifier and are forgotten with the process.
 *
 * @param registration the metadata that the client sent
 */
export function newClientId(registration: unknown): string {
  const parsed = publicRegistration.safeParse(registration)
  const nonce = randomToken().slice(0, 8)
  if (!parsed.success) return `${prefix}${nonce}`
  return `${prefix}${nonce}.${Buffer.from(JSON.stringify(parsed.data)).toString('base64url')}`
}

/** The registration inside a public client's identifier; nothing for any other string. */
export function readClientId(clientId: string): AdapterPayload | undefined {
  const encoded = clientId.startsWith(prefix) ? clientId.split('.')[2] : undefined
  if (encoded === undefined) return undefined
  const parsed = publicRegistration.safeParse(parseJson(Buffer.from(encoded, 'base64url').toString('utf8')))
  if (!parsed.success) return undefined
  const { client_name, application_type, ...required } = parsed.data
  return {
    client_id: clientId,
    ...required,
    ...(client_name === undefined ? {} : { client_name }),
    ...(application_type === undefined ? {} : { application_type }),
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
