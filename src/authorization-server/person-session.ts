import { scopesOfRole } from '../access/rights.ts'
import { addMs, type Clock } from '../kernel/clock.ts'
import { newId } from '../kernel/id.ts'
import type { Principal, PrincipalKind } from '../kernel/principal.ts'
import { hashToken, randomToken, Secret } from '../kernel/secret.ts'

const sessionMs = 3_600_000

/** A person, or an agent that somebody speaks for. */
export type Person = Pick<Principal, 'id' | 'tenantId' | 'kind' | 'subject'>

/** How we know who it is. */
export type LoginMethod = 'connect_token' | 'oidc' | 'dev'

export type PersonSession = {
  readonly id: string
  readonly person: Person
  /** The only connector that may be consented to; null: every one that the person sees. */
  readonly connectorId: string | null
  readonly method: LoginMethod
  readonly expiresAt: Date
}

export type NewConnectToken = {
  readonly id: string
  readonly tenantId: string
  readonly connectorId: string
  readonly principalId: string
  readonly tokenHash: string
  readonly createdByPrincipalId: string
  readonly expiresAt: Date
}

/** Where people, their sessions and the tokens that make them known are kept. */
export type PersonStore = {
  /** The principal of that kind and subject, made when it is missing. */
  ensure(who: { tenantId: string; kind: PrincipalKind; subject: string }): Promise<Person>
  addSession(session: PersonSession & { readonly tokenHash: string }): Promise<void>
  findSession(tokenHash: string, now: Date): Promise<PersonSession | null>
  endSession(tokenHash: string): Promise<void>
  addConnectToken(token: NewConnectToken): Promise<void>
  /** Uses the token up, in one statement; null when it is unknown, used, over, or for another connector. */
  takeConnectToken(tokenHash: string, connectorId: string, now: Date): Promise<Person | null>
}

type Deps = { readonly people: PersonStore; readonly clock: Clock }

/** Browsers in which we know who sits there, for an hour. The browser's cookie holds the token, the store its hash. */
export function createPersonSessions({ people, clock }: Deps) {
  return {
    async begin(person: Person, method: LoginMethod, connectorId: string | null): Promise<Secret> {
      const token = randomToken()
      await people.addSession({
        id: newId(),
        person,
        connectorId,
        method,
        tokenHash: hashToken(token),
        expiresAt: addMs(clock.now(), sessionMs),
      })
      return new Secret(token)
    },

    find: (token: string): Promise<PersonSession | null> => people.findSession(hashToken(token), clock.now()),

    end: (token: string): Promise<void> => people.endSession(hashToken(token)),
  }
}

export type PersonSessions = ReturnType<typeof createPersonSessions>

/** What a recognised person may do: what a member may. */
export function principalOf({ person }: PersonSession): Principal {
  return {
    ...person,
    role: 'member',
    scopes: new Set(scopesOfRole('member')),
    label: person.subject,
    isRecognisable: true,
  }
}
