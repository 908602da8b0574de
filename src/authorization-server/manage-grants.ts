import { isManager } from '../access/rights.ts'
import { AppError } from '../kernel/app-error.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Principal } from '../kernel/principal.ts'
import type { GrantPage, GrantStore, ListGrants } from './grant.ts'
import type { Person } from './person-session.ts'

type Deps = {
  readonly grants: Pick<GrantStore, 'list' | 'revokeOf'>
  readonly clock: Clock
}

type Page = Pick<ListGrants, 'limit' | 'before'>

/**
 * What people gave to hosts: seen and taken back, by themselves or by who manages their tenant. Taking back ends all codes
 * and tokens of the grant at once, and its open streams within seconds.
 */
export function createManageGrants({ grants, clock }: Deps) {
  const whose = (principal: Principal) => (isManager(principal) ? {} : { principalId: principal.id })

  return {
    /** Living ones, newest first: a manager's tenant's, anybody else's own. */
    list: (principal: Principal, page: Page): Promise<GrantPage> =>
      grants.list({ tenantId: principal.tenantId, ...whose(principal), ...page, now: clock.now() }),

    /** @throws AppError `not_found` for one that is over, and for somebody else's */
    async revoke(principal: Principal, id: string): Promise<void> {
      const isDone = await grants.revokeOf(id, { tenantId: principal.tenantId, ...whose(principal) }, clock.now())
      if (!isDone) throw new AppError('not_found', 'no such grant')
    },

    /** A person's own, on their own page. */
    listOwn: (person: Person, connectorId: string | null, page: Page): Promise<GrantPage> =>
      grants.list({ ...ownOf(person, connectorId), ...page, now: clock.now() }),

    /** False when there is no such living grant of theirs. */
    revokeOwn: (person: Person, connectorId: string | null, id: string): Promise<boolean> =>
      grants.revokeOf(id, ownOf(person, connectorId), clock.now()),
  }
}

export type ManageGrants = ReturnType<typeof createManageGrants>

/** @param connectorId where the session is for that connector only */
function ownOf(person: Person, connectorId: string | null) {
  return { tenantId: person.tenantId, principalId: person.id, ...(connectorId === null ? {} : { connectorId }) }
}
