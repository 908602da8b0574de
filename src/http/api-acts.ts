import type { Caller } from '../access/caller.ts'
import type { Act, ActEnd, Actor } from '../audit/audit-entry.ts'
import { isId } from '../kernel/id.ts'
import type { Principal } from '../kernel/principal.ts'
import type { RequestRecord } from './front-door.ts'
import type { Route } from './route.ts'

/** What of a request is known so far; the body as it came, once it passed its schema. */
export type Given = { readonly params?: unknown; readonly body?: unknown }

/** Whatever is no GET changes something, or asks somebody else for something. */
export const isAct = ({ method }: Route): boolean => method !== 'get'

/** A principal, as the audit log writes it down. */
function actorOf(principal: Principal, credentialId: string | null): Actor {
  const { id, kind, subject, label } = principal
  return { id, kind, subject, credentialId, credentialLabel: credentialId === null ? null : label }
}

/**
 * What a caller does with a route, for the audit log: all of it follows from the table of routes, so that a new route is
 * written down without anybody thinking of it. Of a body only the names at its top are told.
 */
export function apiAct(route: Route, caller: Caller, record: RequestRecord, { params, body }: Given): Act {
  const { id } = (params ?? {}) as { id?: unknown }
  return {
    tenantId: caller.principal.tenantId,
    channel: 'api',
    actor: actorOf(caller.principal, caller.credentialId),
    address: record.address,
    requestId: record.requestId,
    action: route.operationId,
    targetType: nounOf(route.path),
    targetId: typeof id === 'string' && isId(id) ? id : null,
    fields: typeof body === 'object' && body !== null ? Object.keys(body) : [],
  }
}

/** What an answer says was made, as the end of an act tells it. */
export function madeBy(answer: unknown): Pick<ActEnd, 'targetId'> {
  const { id } = (typeof answer === 'object' && answer !== null ? answer : {}) as { id?: unknown }
  return typeof id === 'string' && isId(id) ? { targetId: id } : {}
}

/** `/api-keys/{id}` is about an `api_key`. */
function nounOf(path: string): string {
  const [, collection = ''] = path.split('/')
  return collection.replace(/s$/, '').replaceAll('-', '_')
}
