import type { JWTPayload } from 'jose'
import { scopes as allScopes, type PrincipalKind, principalKinds, type Role, type Scope } from '../kernel/principal.ts'
import { scopesOfRole } from './rights.ts'

/** Which claims of the organisation's tokens mean what. A name with dots is a path, unless a claim has just that name. */
export type ClaimMapping = {
  /** Holds the tenant's slug; undefined: everybody is in tenant `default`. */
  readonly tenant: string | undefined
  readonly subject: string
  /** Holds `user`, `agent` or `service`; undefined, or not in a token: `user`. */
  readonly kind: string | undefined
  /** Holds a list of roles, or one. */
  readonly roles: string
  /** The role that makes an administrator. */
  readonly adminRole: string
}

/** Who a token speaks of. */
export type ClaimedPrincipal = {
  readonly tenantSlug: string
  readonly kind: PrincipalKind
  readonly subject: string
  readonly role: Role
  readonly scopes: ReadonlySet<Scope>
  readonly label: string
}

const maxSubjectLength = 255

/** Reads who a verified token speaks of; null when a claim that the mapping needs is missing or has no sense. */
export function readClaims(claims: JWTPayload, mapping: ClaimMapping): ClaimedPrincipal | null {
  const tenantSlug = mapping.tenant === undefined ? 'default' : claimAt(claims, mapping.tenant)
  const subject = claimAt(claims, mapping.subject)
  const kind = (mapping.kind === undefined ? undefined : claimAt(claims, mapping.kind)) ?? 'user'
  const isSubject = typeof subject === 'string' && subject !== '' && subject.length <= maxSubjectLength
  if (typeof tenantSlug !== 'string' || !isSubject || !isKind(kind)) return null
  const role = namesIn(claimAt(claims, mapping.roles)).includes(mapping.adminRole) ? 'admin' : 'member'
  const name = claims.name ?? claims.preferred_username ?? claims.email
  return {
    tenantSlug,
    kind,
    subject,
    role,
    scopes: grantedScopes(claims, role),
    label: typeof name === 'string' && name !== '' ? name.slice(0, maxSubjectLength) : subject,
  }
}

/** Everything that the role may do, unless the token's scope names some of our scopes: then those of it. */
function grantedScopes({ scope, scp }: JWTPayload, role: Role): ReadonlySet<Scope> {
  const asked = namesIn(scope ?? scp)
  const ours = allScopes.filter((name) => asked.includes(name))
  const granted = scopesOfRole(role)
  return new Set(ours.length === 0 ? granted : granted.filter((name) => ours.includes(name)))
}

function claimAt(claims: JWTPayload, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name]
  return name.split('.').reduce<unknown>((value, part) => {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    return (value as Record<string, unknown>)[part]
  }, claims)
}

const namesIn = (value: unknown): readonly unknown[] =>
  typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : []

const isKind = (value: unknown): value is PrincipalKind => principalKinds.some((kind) => kind === value)
