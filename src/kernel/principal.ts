export const principalKinds = ['user', 'agent', 'service'] as const
export type PrincipalKind = (typeof principalKinds)[number]

export const roles = ['admin', 'member'] as const
export type Role = (typeof roles)[number]

export const scopes = [
  'connectors:read',
  'connectors:write',
  'connectors:proxy',
  'webhooks',
  'analytics',
  'audit',
  'admin',
] as const
export type Scope = (typeof scopes)[number]

/** Who is asking, as their credentials say. */
export type Principal = {
  /** The row in `principals`; shown as `created_by`. */
  readonly id: string
  readonly tenantId: string
  readonly kind: PrincipalKind
  /** Names the person, agent or service inside the tenant. */
  readonly subject: string
  readonly role: Role
  readonly scopes: ReadonlySet<Scope>
  /** How pages and events name the credential that was used: an API key's label. */
  readonly label: string
  /** True where the credential is a person's own, and the person can be recognised in a browser: no API key ever is. */
  readonly isRecognisable?: boolean
}
