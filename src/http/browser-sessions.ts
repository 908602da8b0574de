import type { Context } from 'koa'
import type { AuditLog } from '../audit/audit-log.ts'
import type { LoginMethod, Person, PersonSession, PersonSessions } from '../authorization-server/person-session.ts'
import type { Secret } from '../kernel/secret.ts'
import { pageAct } from './page-acts.ts'

type Deps = { readonly personSessions: PersonSessions; readonly audit: Pick<AuditLog, 'run'> }

/** What each way of signing in is given. */
const given: Readonly<Record<LoginMethod, string>> = {
  connect_token: 'connect_token',
  oidc: 'organisation',
  dev: 'name',
}

/** The sessions of people in browsers: who signs in and out is written down. */
export function createBrowserSessions({ personSessions, audit }: Deps) {
  return {
    find: personSessions.find,

    /** @returns what the browser's cookie is to hold */
    begin(ctx: Context, person: Person, method: LoginMethod, connectorId: string | null): Promise<Secret> {
      const { tenantId } = person
      const act = pageAct(ctx, { action: 'signIn', tenantId, person, connectorId, fields: [given[method]] })
      return audit.run(act, () => personSessions.begin(person, method, connectorId))
    },

    end(ctx: Context, { person, connectorId }: PersonSession, token: string): Promise<void> {
      const act = pageAct(ctx, { action: 'signOut', tenantId: person.tenantId, person, connectorId })
      return audit.run(act, () => personSessions.end(token))
    },
  }
}

export type BrowserSessions = ReturnType<typeof createBrowserSessions>
