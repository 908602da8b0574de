import type { ResourceUrl } from '../kernel/resource-url.ts'
import type { Secret } from '../kernel/secret.ts'

export const authKinds = ['oauth2', 'token', 'none'] as const

/** What connecting takes, as the vendor says: a hint for people, never a switch. */
type AuthHint = {
  readonly type: (typeof authKinds)[number]
  readonly header?: string | undefined
  /** The authorization server registers no clients by itself. */
  readonly client?: 'needed' | undefined
}

export const verifiedLevels = ['none', 'metadata', 'connected'] as const
/**
 * How far we have tried a preset: not at all, its discovery documents were read, or a real account was connected.
 */
type Verified = (typeof verifiedLevels)[number]

/** What an authorization server needs beside the letter of the specification. Only operators may say so (MX-08). */
type PresetQuirks = {
  /** Leave out RFC 8707's `resource`, for servers that refuse it. */
  readonly omitResource: boolean
  /** Go on without S256 in the metadata: it is sent all the same, and nobody knows whether it is checked (PK-01). */
  readonly isPkceUnlisted: boolean
  /** What the MCP server calls the issuer, where the metadata there says `issuer` (MX-08). */
  readonly issuerAlias: string | undefined
  /** More parameters for the authorization request, never one that the protocol itself sets. */
  readonly authorizeParameters: Readonly<Record<string, string>>
}

/** A catalog entry: what connectors with this URL get when they bring nothing of their own. */
export type Preset = {
  readonly id: string
  readonly url: ResourceUrl
  readonly metadata: Readonly<Record<string, string>>
  readonly auth: AuthHint | undefined
  readonly clientId: string | undefined
  /** Goes to the token endpoint of the pinned issuer and nowhere else (MX-09). */
  readonly clientSecret: Secret | undefined
  /** The issuer that must be found, compared as a plain string. Without it the first one found is pinned. */
  readonly issuer: string | undefined
  readonly scopes: readonly string[] | undefined
  readonly quirks: PresetQuirks
  /** The document that the entry was written from, and the day on which it was read. */
  readonly source: { readonly document: string; readonly date: string } | undefined
  readonly verified: Verified
}
