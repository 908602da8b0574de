import type { Principal } from '../kernel/principal.ts'

/** What a person (or agent) gave a host: the use of one connector. */
export type Grant = {
  readonly id: string
  readonly tenantId: string
  readonly connectorId: string
  readonly principalId: string
  readonly clientId: string
  /** The client's name as the person saw it. */
  readonly clientName: string
  /** The URL that was asked for: the endpoint, or its alias. */
  readonly resource: string
  /** Space-separated. */
  readonly scope: string
  readonly createdAt: Date
  readonly lastUsedAt: Date | null
  /** The end of its refresh tokens, however often they are used. */
  readonly expiresAt: Date
  readonly revokedAt: Date | null
}

/** A grant that may be used, and by whom it was given. */
export type LiveGrant = { readonly grant: Grant; readonly principal: Pick<Principal, 'id' | 'kind' | 'subject'> }

/** `person`: took it back; `client`: the host did, or redeemed a code twice; `reuse`: a used refresh token came again. */
export type RevokeReason = 'person' | 'client' | 'reuse'

/** Whose grants: all that fits. */
export type GrantOwner = {
  readonly tenantId: string
  readonly principalId?: string
  readonly connectorId?: string
}

export type ListGrants = GrantOwner & {
  readonly limit: number
  /** The id after which the page begins; newer ones come first. */
  readonly before?: string | undefined
  readonly now: Date
}

/** A living grant as people see it. */
export type ListedGrant = LiveGrant & { readonly connector: { readonly url: string; readonly name: string | null } }

export type GrantPage = {
  readonly items: readonly ListedGrant[]
  readonly totalCount: number
  readonly hasMore: boolean
}

/** Where grants are kept. */
export type GrantStore = {
  create(grant: Omit<Grant, 'createdAt' | 'lastUsedAt' | 'revokedAt'>): Promise<void>
  /** Null when it is unknown, revoked or over, or when its person or connector is gone. */
  findLive(id: string, now: Date): Promise<LiveGrant | null>
  /** Ends it, and all codes and tokens with it. False when it was over already. */
  revoke(id: string, reason: RevokeReason, now: Date): Promise<boolean>
  /** Living ones, newest first. */
  list(which: ListGrants): Promise<GrantPage>
  /** Ends it for a person. False when there is no such living grant of that owner. */
  revokeOf(id: string, owner: GrantOwner, now: Date): Promise<boolean>
}
