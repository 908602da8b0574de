import { z } from 'zod'
import type { LoginAttempt, OidcLogin } from '../access/oidc-login.ts'
import type { AccessStore } from '../access/store.ts'
import { addMs, type Clock } from '../kernel/clock.ts'
import { Secret } from '../kernel/secret.ts'
import type { SealedPlace, Vault } from '../vault/vault.ts'
import type { Person, PersonStore } from './person-session.ts'

const attemptMs = 600_000
const attemptSchema = z.object({
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  returnTo: z.string(),
  untilMs: z.number(),
})

const stateForm = /^[\w-]{20,200}$/
/** A sealed attempt opens for its own state only. */
const placeOf = (state: string): SealedPlace => ({
  table: 'browsers',
  column: 'login',
  rowId: state,
  tenantId: 'installation',
})

type Deps = {
  readonly oidcLogin: OidcLogin
  readonly access: Pick<AccessStore, 'findTenant'>
  readonly people: Pick<PersonStore, 'ensure'>
  readonly vault: Vault
  readonly clock: Clock
}

/** How a login ended. `refused`: nobody signed in, or nobody whom we know. */
export type LoginOutcome =
  | { readonly kind: 'known'; readonly person: Person; readonly returnTo: string }
  | { readonly kind: 'refused'; readonly returnTo: string }
  | { readonly kind: 'unknown' }

/**
 * Makes people known by login at their organisation. What an attempt must be finished with is sealed into a cookie of the
 * browser that began it, so another browser cannot finish it, and nothing is kept here.
 */
export function createOrganisationLogin(deps: Deps) {
  const { oidcLogin, access, people, vault, clock } = deps

  function open(sealed: string, state: string): (LoginAttempt & { returnTo: string }) | null {
    try {
      const attempt = attemptSchema.parse(JSON.parse(vault.open(sealed, placeOf(state)).reveal()))
      return attempt.untilMs > clock.now().getTime() ? attempt : null
    } catch {
      return null
    }
  }

  return {
    /**
     * @param returnTo a path of ours
     * @returns where the browser signs in, and what its cookie must hold until it is back
     * @throws AppError `issuer_unavailable`
     */
    async begin(returnTo: string): Promise<{ target: URL; sealedAttempt: Secret }> {
      const { target, attempt } = await oidcLogin.begin()
      const content = { ...attempt, returnTo, untilMs: addMs(clock.now(), attemptMs).getTime() }
      return {
        target,
        sealedAttempt: new Secret(vault.seal(new Secret(JSON.stringify(content)), placeOf(attempt.state))),
      }
    },

    /** @throws AppError `issuer_unavailable` */
    async finish(parameters: URLSearchParams, sealedAttempt: string | null): Promise<LoginOutcome> {
      const [state, another] = parameters.getAll('state')
      if (state === undefined || another !== undefined || !stateForm.test(state)) return { kind: 'unknown' }
      const attempt = sealedAttempt === null ? null : open(sealedAttempt, state)
      if (attempt === null) return { kind: 'unknown' }
      const { returnTo } = attempt
      const claimed = await oidcLogin.finish(parameters, attempt)
      const tenant = claimed === null ? null : await access.findTenant(claimed.tenantSlug)
      if (claimed === null || tenant === null) return { kind: 'refused', returnTo }
      const { kind, subject } = claimed
      const person = await people.ensure({ tenantId: tenant.id, kind, subject })
      return { kind: 'known', person, returnTo }
    },
  }
}

export type OrganisationLogin = ReturnType<typeof createOrganisationLogin>
