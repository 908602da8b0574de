import { isManager } from '../access/rights.ts'
import type { Connector } from '../connectors/connector.ts'
import { isManageable, isVisible, type Owned } from '../connectors/visibility.ts'
import { AppError } from '../kernel/app-error.ts'
import type { Principal } from '../kernel/principal.ts'
import type { Connection, ConnectionScope } from './connection.ts'

export type Binding = { readonly scope: ConnectionScope; readonly subjectId: string }

/** The subject id of a tenant's connection. */
const tenantSubjectId = '*'

/**
 * Which connection of a connector a principal connects: the tenant's, or its own.
 *
 * `onBehalfOf` names a person for whom a manager (a product's backend) connects.
 *
 * @throws AppError `forbidden` when the connection is somebody else's to make, `subject_required` when a service
 *   connects a connector that keeps one connection per person without saying whose
 */
export function bindingFor(principal: Principal, connector: Connector, onBehalfOf?: string): Binding {
  if (onBehalfOf !== undefined && !isManager(principal)) {
    throw new AppError('forbidden', 'subject given by a member', {
      publicDetail: 'Only administrators and services may connect for somebody else.',
    })
  }
  if (connector.credentialScope === 'tenant') {
    if (onBehalfOf !== undefined) {
      throw new AppError('invalid_request', 'subject on a tenant connector', {
        publicDetail: 'This connector has one connection for the whole organisation, so `subject` does not apply.',
        fields: [{ path: 'subject', message: 'does not apply to this connector' }],
      })
    }
    if (!isManageable(principal, connector)) {
      throw new AppError('forbidden', 'tenant connection connected by a member', {
        publicDetail: 'This connector is shared by your organisation; an administrator connects it.',
      })
    }
    return { scope: 'tenant', subjectId: tenantSubjectId }
  }
  if (onBehalfOf !== undefined) return { scope: 'user', subjectId: onBehalfOf }
  if (principal.kind === 'service') {
    throw new AppError('subject_required', 'service without subject', {
      publicDetail: 'This connector keeps one connection per person. Say whose with `subject`.',
      fields: [{ path: 'subject', message: 'required for a service' }],
    })
  }
  return { scope: principal.kind, subjectId: principal.subject }
}

/** True when a connect by this principal, for itself, would be let through. */
export function mayConnect(principal: Principal, connector: Connector): boolean {
  if (connector.credentialScope === 'tenant') return isManageable(principal, connector)
  return principal.kind !== 'service' && isVisible(principal, connector)
}

/** True when the principal may connect and disconnect this connection, and so may see its link. */
export function isConnectable(
  principal: Principal,
  connector: Owned,
  connection: Pick<Connection, 'scope' | 'subjectId'>,
): boolean {
  if (connection.scope === 'tenant') return isManageable(principal, connector)
  const isOwn = connection.scope === principal.kind && connection.subjectId === principal.subject
  return isVisible(principal, connector) && (isOwn || isManager(principal))
}

/** @throws AppError `forbidden` */
export function requireConnectable(principal: Principal, connector: Connector, connection: Connection): void {
  if (isConnectable(principal, connector, connection)) return
  throw new AppError('forbidden', 'connection is managed by others', {
    publicDetail: 'This connection is shared by your organisation; an administrator manages it.',
  })
}
