import type { PrincipalKind } from '../kernel/principal.ts'

export const auditChannels = ['api', 'page', 'cli'] as const
export type AuditChannel = (typeof auditChannels)[number]

/** How an act ended. Null on an entry: it is under way, or its process ended before it did. */
export const auditOutcomes = ['ok', 'refused', 'failed'] as const
export type AuditOutcome = (typeof auditOutcomes)[number]

export const actorKinds = ['user', 'agent', 'service', 'operator', 'anonymous'] as const satisfies readonly (
  | PrincipalKind
  | 'operator'
  | 'anonymous'
)[]
export type ActorKind = (typeof actorKinds)[number]

/** Who acts, as it is written down: readable when the principal is gone. */
export type Actor = {
  /** The principal; null for an operator at the command line, and for a browser in which nobody is known. */
  readonly id: string | null
  readonly kind: ActorKind
  readonly subject: string
  /** The API key; null for every other credential. */
  readonly credentialId: string | null
  readonly credentialLabel: string | null
}

/** What somebody is about to do. Holds names and ids only, never a value that was given. */
export type Act = {
  /** Null: about the whole installation. */
  readonly tenantId: string | null
  readonly channel: AuditChannel
  readonly actor: Actor
  /** The client's address; at the command line the name of the machine. */
  readonly address: string | null
  readonly requestId: string | null
  /** The operation, as the OpenAPI document names it. */
  readonly action: string
  readonly targetType: string | null
  /** Null while it does not exist yet. */
  readonly targetId: string | null
  /** Names of what was given. */
  readonly fields: readonly string[]
}

export type ActEnd = {
  readonly outcome: AuditOutcome
  /** Why not; null when `ok`. */
  readonly code: string | null
  /** What was made, where the act made something. */
  readonly targetId?: string
}

/** How an act ends that found nothing to act on. */
export const nothingThere = { outcome: 'refused', code: 'not_found' } as const satisfies ActEnd

export type AuditEntry = Act & {
  readonly id: string
  readonly at: Date
  readonly endedAt: Date | null
  readonly outcome: AuditOutcome | null
  readonly code: string | null
}

export type AuditFilter = {
  readonly targetId?: string
  readonly subject?: string
  readonly action?: string
  readonly channel?: AuditChannel
  readonly outcome?: AuditOutcome | 'unfinished'
  readonly since?: Date
  readonly until?: Date
}

export type AuditPage = { readonly items: AuditEntry[]; readonly totalCount: number; readonly hasMore: boolean }

/** Whose entries: a tenant's own, or those of the whole installation, every tenant's among them. */
export type AuditScope = { readonly tenantId: string } | 'installation'

/** Where acts are written down. */
export type AuditStore = {
  /** Writes an act down before it is done; the id of its entry. */
  begin(act: Act): Promise<string>
  end(id: string, end: ActEnd): Promise<void>
  /** Writes down what has ended already. */
  add(act: Act, end: ActEnd): Promise<void>
  /** Newest first. Counts 10,000 at most: beyond that a count would cost more than it tells. */
  list(scope: AuditScope, query: AuditFilter & { readonly limit: number; readonly before?: string }): Promise<AuditPage>
  /** Oldest first, after an entry: for reading on and on. */
  listAfter(
    scope: AuditScope,
    query: AuditFilter & { readonly limit: number; readonly after?: string },
  ): Promise<AuditEntry[]>
}
