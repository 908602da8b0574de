import { isManager } from '../access/rights.ts'
import { AppError } from '../kernel/app-error.ts'
import type { Principal } from '../kernel/principal.ts'
import { type Connector, tenantOwnerId } from './connector.ts'
import type { ConnectorStore } from './store.ts'

/** Who owns what this principal creates: the tenant for managers, else the person or agent itself. */
export function ownerFor(principal: Principal): Pick<Connector, 'ownerKind' | 'ownerId'> {
  return isManager(principal) || principal.kind === 'service'
    ? { ownerKind: 'tenant', ownerId: tenantOwnerId }
    : { ownerKind: principal.kind, ownerId: principal.subject }
}

/** What says who may see a connector. */
export type Owned = Pick<Connector, 'tenantId' | 'ownerKind' | 'ownerId'>

function isOwner(principal: Principal, connector: Owned): boolean {
  return connector.ownerKind === principal.kind && connector.ownerId === principal.subject
}

/** Own connectors and the tenant's; nobody sees another person's. */
export function isVisible(principal: Principal, connector: Owned): boolean {
  return (
    connector.tenantId === principal.tenantId && (connector.ownerKind === 'tenant' || isOwner(principal, connector))
  )
}

/** Who may change, delete and see the client facts of a connector. */
export function isManageable(principal: Principal, connector: Owned): boolean {
  return (
    isVisible(principal, connector) &&
    (connector.ownerKind === 'tenant' ? isManager(principal) : isOwner(principal, connector))
  )
}

type Deps = { readonly connectors: ConnectorStore }

/**
 * Finds a connector that the principal may see.
 *
 * @throws AppError `not_found`, the same for a missing one and for somebody else's
 */
export function createFindConnector({ connectors }: Deps) {
  return async (principal: Principal, id: string): Promise<Connector> => {
    const connector = await connectors.find(principal.tenantId, id)
    if (connector === null || !isVisible(principal, connector))
      throw new AppError('not_found', 'connector not found or not visible')
    return connector
  }
}

/** @throws AppError `forbidden` for those who may only look */
export function requireManageable(principal: Principal, connector: Connector): void {
  if (!isManageable(principal, connector)) {
    throw new AppError('forbidden', 'shared connector is read-only for members', {
      publicDetail: 'This connector is shared by your organisation; an administrator manages it.',
    })
  }
}
