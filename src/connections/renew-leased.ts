import { isAppError } from '../kernel/app-error.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Background } from '../log/background.ts'
import type { Logger } from '../log/logger.ts'
import type { RefreshMetrics } from '../metrics/refresh-metrics.ts'
import type { Client } from '../upstream/client.ts'
import type { TokenEndpoint, TokenSet } from '../upstream/token-endpoint.ts'
import { isClientUnknown, type TokenOutcome } from '../upstream/token-outcome.ts'
import type { Vault } from '../vault/vault.ts'
import type { FindClient } from './choose-client.ts'
import type { Connection } from './connection.ts'
import { openRefreshToken } from './connection-secrets.ts'
import { disconnectReasons } from './disconnect-reason.ts'
import { withoutGrant } from './grant-changes.ts'
import type { IssuerGate } from './issuer-gate.ts'
import type { Leased, LeaseKeeper } from './lease-keeper.ts'
import type { LeaseStore, Settlement } from './lease-store.ts'
import { classOf, errorCodeOf, type FailureClass, judgeFailure, outcomeRules } from './refresh-outcomes.ts'
import type { ReachFaultPoint, RefreshResult } from './refresh-result.ts'
import { renewedGrant } from './renewed-grant.ts'
import type { Spill } from './spill.ts'
import type { ConnectionStore, RegistrationStore } from './store.ts'

type Deps = {
  readonly connections: Pick<ConnectionStore, 'find'>
  readonly leases: Pick<LeaseStore, 'settle' | 'giveBack'>
  readonly keeper: LeaseKeeper
  readonly registrations: Pick<RegistrationStore, 'delete'>
  readonly tokenEndpoint: TokenEndpoint
  readonly findClient: FindClient
  readonly gate: IssuerGate
  readonly spill: Spill
  readonly background: Background
  readonly log: Logger
  readonly vault: Vault
  readonly clock: Clock
  readonly random: () => number
  readonly reach: ReachFaultPoint
  readonly metrics: RefreshMetrics
}

type Server = { readonly issuer: string; readonly tokenEndpoint: string }
type Request = {
  readonly connectionId: string
  readonly client: Client
  readonly server: Server
  send(): Promise<TokenOutcome>
}

/**
 * Renews the grant of a leased connection: one attempt (two requests, where the first one's answer got lost), its outcome by
 * the table, and the end of the lease. No transaction is open while the authorization server is asked. Whoever calls this
 * sees to it that the server is not asked too often (`IssuerGate`, or places taken beforehand).
 *
 * Every way in which it can end is a result, or the database's failure; a mistake or a secret that does not open is one of
 * the table's rows.
 *
 * @throws what the database throws when it cannot take a failure; the lease then runs out by itself
 */
export function createRenewLeased(deps: Deps) {
  const { connections, leases, keeper, tokenEndpoint, findClient, gate, spill, background, vault, clock, random } = deps
  const { reach, metrics, log } = deps

  return async (leased: Leased): Promise<RefreshResult> => {
    try {
      return await renew(leased)
    } catch (error) {
      metrics.finished('error')
      throw error
    } finally {
      keeper.forget(leased)
    }
  }

  async function renew(leased: Leased): Promise<RefreshResult> {
    const { connection, interruptedAt } = leased
    await reach('lease_taken', connection.id)
    // a result that could not be stored leaves the mark behind, so nobody else needs to look for one
    if (interruptedAt !== null && (await spill.adopt(connection))) return current(connection)
    const request = await prepare(leased)
    if (request === 'client_gone') return fail(leased, 'terminal_registration', null)
    if (request === 'unusable') return fail(leased, 'internal', null)

    if (!(await keeper.secure(leased))) return giveBack(leased)
    const requestedAt = clock.now()
    let outcome = await send(request)
    let isResultLost = interruptedAt !== null
    if (isWorthRepeating(outcome, connection) && (await keeper.secure(leased))) {
      metrics.retriedAmbiguous()
      isResultLost = true
      outcome = await send(request)
    }
    await reach('answer_received', connection.id)
    if (outcome?.kind === 'ok') return store(leased, request, outcome.tokens, requestedAt)
    return fail(leased, failureOf(outcome, connection), outcome, isResultLost)
  }

  /** All that the request needs, before anything is sent. */
  async function prepare({
    connection,
    connector,
    registration,
  }: Leased): Promise<Request | 'client_gone' | 'unusable'> {
    const { issuer, tokenEndpoint: endpoint, clientId, tokenEndpointAuthMethod, resource } = connection
    if (issuer === null || endpoint === null || clientId === null || tokenEndpointAuthMethod === null) return 'unusable'
    const server = { issuer, tokenEndpoint: endpoint }
    let client: Client | null
    let refreshToken: ReturnType<typeof openRefreshToken>
    try {
      client = await findClient(connector, { ...connection, clientId, tokenEndpointAuthMethod }, registration)
      refreshToken = openRefreshToken(vault, connection)
    } catch (error) {
      // sealed with a key that is gone, or altered: told on the connection, which is parked after some tries
      if (isAppError(error, 'internal')) return 'unusable'
      throw error
    }
    if (client === null) return 'client_gone'
    const asked = client
    // a client that acts for itself has no refresh token: it asks as it did the first time (RFC 6749 section 4.4.3)
    const send = () =>
      refreshToken === undefined
        ? tokenEndpoint.clientCredentials({ server, client: asked, resource, scopes: connection.requestedScopes })
        : tokenEndpoint.refresh({ server, client: asked, refreshToken, resource })
    return { connectionId: connection.id, client, server, send }
  }

  /** One request. Null: a mistake of ours, such as a key that cannot sign; the server was not asked. */
  async function send(request: Request): Promise<TokenOutcome | null> {
    const sentAt = performance.now()
    const answer = request.send().catch((err: unknown) => {
      log.error({ err }, 'a token request could not be made')
      return null
    })
    await reach('request_sent', request.connectionId)
    const outcome = await answer
    metrics.asked(performance.now() - sentAt)
    return outcome
  }

  async function store(leased: Leased, request: Request, tokens: TokenSet, requestedAt: Date): Promise<RefreshResult> {
    const { connection } = leased
    const grant = renewedGrant(vault, connection, { tokens, requestedAt, random: random() })
    await reach('before_commit', connection.id)
    const stored = await spill.persist(connection, grant)
    await reach('after_commit', connection.id)
    await gate.report(request.server.issuer, 'ok')
    if (stored === 'spilled' || stored !== null) metrics.finished('ok')
    if (stored === 'spilled') return { kind: 'spilled' }
    if (stored !== null) {
      return { kind: 'refreshed', connection: stored }
    }
    const now = await connections.find(connection.tenantId, connection.id)
    // the same grant, refreshed by somebody else meanwhile: theirs is the later word, and ours may be of one family with it
    if (now !== null && now.grantEpoch === connection.grantEpoch) {
      metrics.finished('race_recovered')
      return { kind: 'adopted', connection: now }
    }
    revokeUnused(connection, request, tokens)
    metrics.finished('ended')
    return { kind: 'ended' }
  }

  async function fail(
    leased: Leased,
    failure: FailureClass,
    outcome: TokenOutcome | null,
    isResultLost = leased.interruptedAt !== null,
  ): Promise<RefreshResult> {
    const { connection } = leased
    const at = clock.now()
    const code = errorCodeOf(failure, outcome)
    metrics.failed(failure)
    const retryAfterMs = outcome?.kind === 'transient' ? outcome.retryAfterMs : undefined
    if (connection.issuer !== null) await gate.report(connection.issuer, failure, retryAfterMs)
    if (failure === 'terminal' && (await spill.adopt(connection))) return current(connection)
    if (outcome?.kind === 'client_rejected' && isClientUnknown(outcome) && connection.registrationId !== null) {
      // the next connect registers anew
      await deps.registrations.delete(connection.tenantId, connection.registrationId)
    }

    let verdict = judgeFailure(connection, { failure, code, at, retryAfterMs, isResultLost, random: random() })
    const isDoubtful = verdict.kind === 'end' && at.getTime() - verdict.since.getTime() < heldAtMostMs
    if (isDoubtful && connection.issuer !== null && !(await gate.mayDisconnect(connection.issuer))) {
      verdict = { ...verdict, kind: 'retry', at: new Date(at.getTime() + heldRetryMs) }
    }
    const { attempts, since } = verdict
    const wasSpent = outcomeRules[failure].mayHaveSpentToken || isResultLost
    const settlement: Settlement = {
      isHolderOnly: true,
      // the end is not known as long as the token may have been used up by a request whose answer is lost
      refreshStartedAt: wasSpent && verdict.kind !== 'end' ? (leased.interruptedAt ?? leased.startedAt) : null,
      ...(verdict.kind === 'end'
        ? {
            changes: {
              ...withoutGrant,
              state: 'disconnected',
              disconnectCode: verdict.code,
              disconnectReason: disconnectReasons[verdict.code],
              lastError: { code: verdict.code, at: at.toISOString(), retryable: false, attempts },
              grantEpoch: connection.grantEpoch + 1,
            },
            event: {
              type: 'connector.disconnected',
              code: verdict.code,
              class: failure,
              detail: disconnectReasons[verdict.code],
            },
          }
        : {
            changes: {
              failCount: connection.failCount + 1,
              failingSince: since,
              nextRefreshAt: verdict.kind === 'retry' ? verdict.at : null,
              lastError: { code, at: at.toISOString(), retryable: verdict.kind === 'retry', attempts },
            },
            event: { type: 'connector.refresh_failed', code, class: failure },
          }),
    }
    const stored = await leases.settle(connection, keeper.owner, settlement)
    if (stored === null) return current(connection)
    if (verdict.kind !== 'end') {
      metrics.finished('transient')
      return { kind: 'transient', connection: stored, retryAt: verdict.kind === 'retry' ? verdict.at : null }
    }
    metrics.finished('ended')
    metrics.disconnected(verdict.code)
    if (verdict.code === 'refresh_result_lost') metrics.resultLost()
    return { kind: 'ended' }
  }

  /** This process was away for so long that the lease may be somebody else's: nothing was sent, and nothing will be. */
  async function giveBack(leased: Leased): Promise<RefreshResult> {
    await leases.giveBack(leased, keeper.owner)
    return current(leased.connection)
  }

  /** What the connection has become while we were out: somebody else's doing, which counts more than ours. */
  async function current(seen: Connection): Promise<RefreshResult> {
    const now = await connections.find(seen.tenantId, seen.id)
    const isOver = now === null || now.grantEpoch !== seen.grantEpoch
    const isMoved = !isOver && now.tokenVersion > seen.tokenVersion
    metrics.finished(isOver ? 'ended' : isMoved ? 'race_recovered' : 'busy')
    if (isOver) return { kind: 'ended' }
    if (!isMoved) return { kind: 'busy' }
    return { kind: 'adopted', connection: now }
  }

  /** A person ended the grant while we were out: what came of it must not live on. */
  function revokeUnused({ revocationEndpoint }: Connection, { client, server }: Request, tokens: TokenSet): void {
    if (revocationEndpoint === null) return
    const token = tokens.refreshToken ?? tokens.accessToken
    background.run('revoke', () => tokenEndpoint.revoke({ server: { ...server, revocationEndpoint }, client, token }))
  }
}

function failureOf(outcome: Exclude<TokenOutcome, { kind: 'ok' }> | null, { clientSource }: Connection): FailureClass {
  return outcome === null ? 'internal' : classOf(outcome, clientSource)
}

function isWorthRepeating(outcome: TokenOutcome | null, connection: Connection): boolean {
  if (outcome?.kind === 'ok') return false
  return outcomeRules[failureOf(outcome, connection)].immediateRetries > 0
}

/** How long a grant waits that was refused while nobody may be disconnected. */
const heldRetryMs = 900_000
/** For how long it is kept in all: a server that goes on refusing means it. */
const heldAtMostMs = 86_400_000

export type RenewLeased = ReturnType<typeof createRenewLeased>
