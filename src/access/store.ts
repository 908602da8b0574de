import type { PrincipalKind, Role, Scope } from '../kernel/principal.ts'
import type { Caller } from './caller.ts'

export type Tenant = { readonly id: string; readonly slug: string; readonly name: string }

/** An API key as it may be shown: everything but the key. */
export type ApiKey = {
  readonly id: string
  readonly tenantId: string
  readonly label: string
  readonly kind: PrincipalKind
  readonly subject: string
  readonly role: Role
  readonly scopes: readonly Scope[]
  /** The first characters of the key, to tell keys apart. */
  readonly hint: string
  readonly expiresAt: Date | null
  readonly revokedAt: Date | null
  /** To ten minutes. */
  readonly lastUsedAt: Date | null
  readonly createdAt: Date
}

export type NewApiKey = {
  readonly tenantId: string
  readonly label: string
  readonly kind: PrincipalKind
  readonly subject: string
  readonly role: Role
  readonly scopes: readonly Scope[]
  readonly keyHash: string
  readonly hint: string
  readonly expiresAt: Date | null
}

/** A key that is over still tells whose it was. */
export type KeyHolder = { readonly caller: Caller; readonly isOver: boolean }

/** Where tenants, principals and API keys are kept. */
export type AccessStore = {
  findTenant(slug: string): Promise<Tenant | null>
  findTenantById(id: string): Promise<Tenant | null>
  /** By slug. */
  listTenants(): Promise<Tenant[]>
  /** Null when the slug is taken. */
  createTenant(slug: string, name: string): Promise<Tenant | null>
  /** The tenant of that slug, made when it is missing. */
  ensureTenant(slug: string, name: string): Promise<Tenant>
  /** The principal's id; the principal is made when it is missing. */
  ensurePrincipal(who: {
    readonly tenantId: string
    readonly kind: PrincipalKind
    readonly subject: string
  }): Promise<string>
  /** Adds a key, and its principal when nobody of that kind and subject was here before. */
  createApiKey(key: NewApiKey): Promise<ApiKey>
  /** The same for a key that may be there already, of that tenant and label; one that was revoked works again. */
  ensureApiKey(key: NewApiKey): Promise<void>
  /** Whose key that is, and whether it was revoked, or has expired at `now`. */
  findKeyHolder(keyHash: string, now: Date): Promise<KeyHolder | null>
  /** Newest first. */
  listApiKeys(tenantId: string): Promise<ApiKey[]>
  /** False when there is no such key in the tenant. Revoking twice is fine. */
  revokeApiKey(tenantId: string, id: string, now: Date): Promise<boolean>
  /** Revokes every live key of that principal but the one with `keepHash`. */
  revokeOtherKeysOf(
    owner: { readonly tenantId: string; readonly kind: PrincipalKind; readonly subject: string },
    keepHash: string | null,
    now: Date,
  ): Promise<void>
}
