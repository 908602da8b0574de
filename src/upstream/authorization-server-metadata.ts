import { z } from 'zod'
import { isAcceptableEndpoint, isAcceptablePage } from './endpoint-url.ts'

const text = z.string().min(1).max(2048)
const list = z.array(z.string().max(2048)).max(1000).optional().catch(undefined)
/** Names of a registry: what is no such name is nothing that we could know, and must not be stored. */
const names = list.transform((values) => values?.filter((name) => /^[\w.-]{1,64}$/.test(name)).slice(0, 50))
const flag = z.boolean().optional().catch(undefined)

/** RFC 8414 section 2, as far as it concerns a client. Unknown members are ignored, wrong optional ones too. */
const schema = z.object({
  issuer: text,
  authorization_endpoint: text.optional(),
  token_endpoint: text,
  registration_endpoint: text.optional().catch(undefined),
  revocation_endpoint: text.optional().catch(undefined),
  scopes_supported: list,
  response_types_supported: list,
  code_challenge_methods_supported: list,
  token_endpoint_auth_methods_supported: names,
  authorization_response_iss_parameter_supported: flag,
  client_id_metadata_document_supported: flag,
})

export type AuthorizationServerMetadata = z.infer<typeof schema>

/** How a grant is to be had: a person authorizes it, or a client acts for itself (RFC 6749 sections 4.1 and 4.4). */
export type Grant = 'authorization_code' | 'client_credentials'

export type MetadataExpectations = {
  /** The identifier that the URL of the document was made from, in every spelling that is acceptable. */
  readonly issuers: readonly string[]
  readonly grant: Grant
}

export type MetadataVerdict =
  | { readonly kind: 'accepted'; readonly metadata: AuthorizationServerMetadata }
  /** Not metadata, or endpoints that must not be used. */
  | { readonly kind: 'invalid' }
  /** Speaks for somebody else (RFC 8414 section 3.3). */
  | { readonly kind: 'issuer_mismatch' }

/**
 * Judges a metadata document: its `issuer` must be one of `issuers`, character by character, and its endpoints usable.
 * An endpoint that we can do without and must not use is left out; the page for people may be missing where nobody is sent
 * there (RFC 8414 section 2).
 */
export function judgeMetadata(document: unknown, url: URL, { issuers, grant }: MetadataExpectations): MetadataVerdict {
  const result = schema.safeParse(document)
  if (!result.success) return { kind: 'invalid' }
  const { authorization_endpoint: page, registration_endpoint, revocation_endpoint, ...required } = result.data
  if (!issuers.includes(required.issuer)) return { kind: 'issuer_mismatch' }
  const isForPeople = grant === 'authorization_code'
  const isPageUsable = page !== undefined && isAcceptablePage(page, url)
  if (isForPeople && !isPageUsable) return { kind: 'invalid' }
  if (!isAcceptableEndpoint(required.token_endpoint, url)) return { kind: 'invalid' }
  if (isForPeople && required.response_types_supported?.includes('code') === false) return { kind: 'invalid' }
  const usable = (endpoint: string | undefined): string | undefined =>
    endpoint !== undefined && isAcceptableEndpoint(endpoint, url) ? endpoint : undefined
  return {
    kind: 'accepted',
    metadata: {
      ...required,
      authorization_endpoint: isPageUsable ? page : undefined,
      registration_endpoint: usable(registration_endpoint),
      revocation_endpoint: usable(revocation_endpoint),
    },
  }
}

/** Where the metadata of an issuer may be, in the order in which to look (RFC 8414 section 3.1, OpenID Discovery 4.1). */
export function authorizationServerMetadataUrls(issuer: URL): URL[] {
  const path = issuer.pathname.replace(/\/$/, '')
  const paths =
    path === ''
      ? ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration']
      : [
          `/.well-known/oauth-authorization-server${path}`,
          `/.well-known/openid-configuration${path}`,
          `${path}/.well-known/openid-configuration`,
        ]
  return paths.map((each) => new URL(each, issuer.origin))
}
