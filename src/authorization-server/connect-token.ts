import { isManager } from '../access/rights.ts'
import type { ConnectorStore } from '../connectors/store.ts'
import { createFindConnector } from '../connectors/visibility.ts'
import { AppError } from '../kernel/app-error.ts'
import { addMs, type Clock } from '../kernel/clock.ts'
import { newId } from '../kernel/id.ts'
import type { Principal } from '../kernel/principal.ts'
import { hashToken, randomToken, Secret } from '../kernel/secret.ts'
import type { Person, PersonStore } from './person-session.ts'
import type { RateCounter } from './store.ts'

const prefix = 'pbc_'
const tokenForm = /^pbc_[A-Za-z0-9_-]{43}$/
const triesMs = 900_000
const maxTries = 5

export type ConnectTokenRequest = {
  /** Default: who asks. */
  readonly subject?: string
  /** Default: `user` for a given subject. */
  readonly kind?: 'user' | 'agent'
  readonly ttlSeconds: number
}

export type MintedConnectToken = { readonly token: Secret; readonly person: Person; readonly expiresAt: Date }

type MintDeps = { readonly connectors: ConnectorStore; readonly people: PersonStore; readonly clock: Clock }

/**
 * Makes the token with which a person says on our consent page who they are: for one connector, once, for minutes. A member
 * makes one for itself only; a manager (a product's backend) vouches for anybody of its tenant.
 *
 * @throws AppError `not_found`, `forbidden`, `subject_required`
 */
export function createMintConnectToken({ connectors, people, clock }: MintDeps) {
  const findConnector = createFindConnector({ connectors })
  return async (
    principal: Principal,
    connectorId: string,
    request: ConnectTokenRequest,
  ): Promise<MintedConnectToken> => {
    const connector = await findConnector(principal, connectorId)
    const person = await people.ensure({ tenantId: connector.tenantId, ...whom(principal, request) })
    const token = new Secret(prefix + randomToken())
    const expiresAt = addMs(clock.now(), request.ttlSeconds * 1000)
    await people.addConnectToken({
      id: newId(),
      tenantId: connector.tenantId,
      connectorId,
      principalId: person.id,
      tokenHash: hashToken(token.reveal()),
      createdByPrincipalId: principal.id,
      expiresAt,
    })
    return { token, person, expiresAt }
  }
}

export type MintConnectToken = ReturnType<typeof createMintConnectToken>

function whom(principal: Principal, { subject, kind }: ConnectTokenRequest): Pick<Person, 'kind' | 'subject'> {
  const isItself =
    subject === undefined || (subject === principal.subject && (kind ?? principal.kind) === principal.kind)
  if (isItself && principal.kind !== 'service') return { kind: principal.kind, subject: principal.subject }
  if (subject === undefined) {
    throw new AppError('subject_required', 'service without subject', {
      publicDetail: 'Say with `subject` for whom the token is.',
      fields: [{ path: 'subject', message: 'required for a service' }],
    })
  }
  if (!isManager(principal)) {
    throw new AppError('forbidden', 'connect token for somebody else', {
      publicDetail: 'Only administrators and services may make tokens for somebody else.',
    })
  }
  return { kind: kind ?? 'user', subject }
}

type RedeemDeps = { readonly people: PersonStore; readonly rates: RateCounter; readonly clock: Clock }

/**
 * Takes a token that somebody pasted. Five wrong ones within fifteen minutes, from one address or at one request, and no
 * more are looked at.
 *
 * @returns who it makes known; null for a token that is not good here, and when there were too many
 */
export function createRedeemConnectToken({ people, rates, clock }: RedeemDeps) {
  return async (
    token: string,
    at: { connectorId: string; address: string; requestId: string },
  ): Promise<Person | null> => {
    const now = clock.now()
    const keys = [at.address, at.requestId].map((value) => `connect-token:${hashToken(value)}`)
    for (const key of keys) if ((await rates.peek(key, triesMs, now)) >= maxTries) return null
    const given = token.trim()
    const person = tokenForm.test(given) ? await people.takeConnectToken(hashToken(given), at.connectorId, now) : null
    if (person === null) for (const key of keys) await rates.hit(key, triesMs, now)
    return person
  }
}

export type RedeemConnectToken = ReturnType<typeof createRedeemConnectToken>
