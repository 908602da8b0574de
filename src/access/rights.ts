import { AppError } from '../kernel/app-error.ts'
import type { Principal, Role, Scope } from '../kernel/principal.ts'

/** The one table of rights: what a role may be given at most. */
const scopesByRole: Readonly<Record<Role, readonly Scope[]>> = {
  admin: ['connectors:read', 'connectors:write', 'connectors:proxy', 'admin'],
  member: ['connectors:read', 'connectors:write', 'connectors:proxy'],
}

/** Every scope that a role may be given. */
export function scopesOfRole(role: Role): readonly Scope[] {
  return scopesByRole[role]
}

/** @throws AppError `forbidden` naming the scope that is missing */
export function requireScope(principal: Principal, scope: Scope): void {
  if (!principal.scopes.has(scope)) {
    throw new AppError('forbidden', `scope ${scope} missing`, { publicDetail: `This key lacks the scope ${scope}.` })
  }
}

/** True for those who manage what the tenant shares: admins, and services that may write. */
export function isManager(principal: Principal): boolean {
  return principal.role === 'admin' || (principal.kind === 'service' && principal.scopes.has('connectors:write'))
}
