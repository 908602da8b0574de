import { AppError } from '../kernel/app-error.ts'
import type { Principal, Role, Scope } from '../kernel/principal.ts'

/** The one table of rights: what a role may be given at most. */
const scopesByRole: Readonly<Record<Role, readonly Scope[]>> = {
  admin: ['connectors:read', 'connectors:write', 'connectors:proxy', 'webhooks', 'analytics', 'audit', 'admin'],
  member: ['connectors:read', 'connectors:write', 'connectors:proxy'],
}

/** Scopes that `admin` holds too: keys from before they existed, or made with `admin` alone, do what they did. */
const impliedByAdmin: ReadonlySet<Scope> = new Set<Scope>(['webhooks', 'analytics', 'audit'])

/** Every scope that a role may be given. */
export function scopesOfRole(role: Role): readonly Scope[] {
  return scopesByRole[role]
}

/** @throws AppError `forbidden` naming the scope that is missing */
export function requireScope(principal: Principal, scope: Scope): void {
  const isImplied = impliedByAdmin.has(scope) && principal.scopes.has('admin')
  if (!principal.scopes.has(scope) && !isImplied) {
    throw new AppError('forbidden', `scope ${scope} missing`, { publicDetail: `This key lacks the scope ${scope}.` })
  }
}

/** True for those who manage what the tenant shares: admins, and services that may write. */
export function isManager(principal: Principal): boolean {
  return principal.role === 'admin' || (principal.kind === 'service' && principal.scopes.has('connectors:write'))
}
