import type { Context } from 'koa'
import type { Act, Actor } from '../audit/audit-entry.ts'
import type { Person } from '../authorization-server/person-session.ts'
import { requestRecord } from './front-door.ts'

/** What people do on our pages. What the REST API has too is called as there. */
export type PageAction =
  | 'signIn'
  | 'signOut'
  | 'connectConnector'
  /** The press of Continue behind a link. */
  | 'continueConnect'
  /** The way back from the authorization server. */
  | 'finishConnect'
  | 'authorizeApp'
  | 'refuseApp'
  | 'revokeGrant'

type PageAct = {
  readonly action: PageAction
  readonly tenantId: string
  /** Null where nobody is known. */
  readonly person: Person | null
  readonly connectorId?: string | null
  readonly grantId?: string
  /** Names of what was given. */
  readonly fields?: readonly string[]
}

/** An act on a page, for the audit log. */
export function pageAct(
  ctx: Context,
  { action, tenantId, person, connectorId = null, grantId, fields = [] }: PageAct,
): Act {
  const { address, requestId } = requestRecord(ctx.req)
  const target =
    grantId === undefined
      ? { targetType: connectorId === null ? null : 'connector', targetId: connectorId }
      : { targetType: 'grant', targetId: grantId }
  // somebody of another organisation is nobody here
  const actor = person?.tenantId === tenantId ? actorOf(person) : nobody
  return { channel: 'page', tenantId, actor, address, requestId, action, ...target, fields }
}

const nobody: Actor = { id: null, kind: 'anonymous', subject: 'anonymous', credentialId: null, credentialLabel: null }

function actorOf({ id, kind, subject }: Person): Actor {
  return { id, kind, subject, credentialId: null, credentialLabel: null }
}
