import type { Principal } from '../kernel/principal.ts'

const places = new WeakMap<Principal, { readonly connectorId: string; readonly key: string }>()

/**
 * A key for what is kept by principal and connector. Put together once for a principal that is remembered: a fresh string costs
 * more to look up than to find.
 */
export function callerPlace(principal: Principal, connectorId: string): string {
  const known = places.get(principal)
  if (known?.connectorId === connectorId) return known.key
  const key = `${principal.id} ${connectorId}`
  places.set(principal, { connectorId, key })
  return key
}
