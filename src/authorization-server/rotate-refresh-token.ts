import { hkdfSync } from 'node:crypto'
import { CompactEncrypt, compactDecrypt } from 'jose'
import type { AdapterPayload, Provider, TokenEndpointGrantContext } from 'oidc-provider'
import { InvalidGrant, InvalidRequest, InvalidScope, InvalidTarget } from 'oidc-provider/lib/helpers/errors.js'
import { addMs, type Clock } from '../kernel/clock.ts'
import { randomToken } from '../kernel/secret.ts'
import type { Vault } from '../vault/vault.ts'
import type { Grant, GrantStore } from './grant.ts'
import { artifactHash, openPayload, sealPayload } from './oidc-adapter.ts'
import type { ResourceServerInfo } from './resource-server.ts'
import type { ArtifactStore, StoredArtifact } from './store.ts'

type Parameters = {
  readonly refresh_token?: string
  readonly scope?: string
  readonly resource?: string | readonly string[]
}

type Deps = {
  readonly provider: Provider
  readonly grants: GrantStore
  readonly artifacts: ArtifactStore
  readonly vault: Vault
  readonly clock: Clock
  readonly resourceServerInfo: ResourceServerInfo
  /** How long a token that was just used gets the same answer once more. */
  readonly graceMs: number
  /** How long a token lives unused. */
  readonly idleMs: number
}

/** What a token endpoint answers (RFC 6749 section 5.1). */
type TokenAnswer = Readonly<Record<string, string | number>>

/**
 * The refresh grant (RFC 6749 section 6) in our own way, where oidc-provider's would end the whole grant at the second of two
 * parallel requests. Each use rotates the token. Within the grace the token that was used last gets the very answer again;
 * any other use of a used token ends the grant (RFC 9700 section 4.14.2). The old token is used up and the new one stored
 * in one transaction, so neither a crash nor a race leaves a client without.
 *
 * @returns a handler for `provider.registerGrantType`; the client is authenticated by then
 */
export function createRotateRefreshToken(deps: Deps) {
  const { grants, artifacts, vault, clock, graceMs } = deps

  return async (ctx: TokenEndpointGrantContext<Parameters>): Promise<void> => {
    const { client, params } = ctx.oidc
    const presented = params.refresh_token
    if (presented === undefined || presented === '')
      throw new InvalidRequest("missing required parameter(s) 'refresh_token'")
    const keyHash = artifactHash('RefreshToken', presented)
    const stored = await artifacts.find(keyHash)
    if (stored === null) throw new InvalidGrant('unknown refresh token')
    const payload = openPayload(vault, keyHash, stored.sealedPayload, presented)
    // nothing happens to a token that somebody else presents
    if (payload.clientId !== client.clientId) throw new InvalidGrant('refresh token of another client')
    const now = clock.now()
    const live = await grants.findLive(stored.grantId ?? '', now)
    if (live === null) throw new InvalidGrant('the grant is over')
    const { grant } = live
    if (stored.consumedAt !== null) return answerAgain(ctx, stored, presented, grant, now)
    if (stored.expiresAt === null || stored.expiresAt <= now) throw new InvalidGrant('refresh token is expired')
    const scope = narrowedScope(params.scope, grant.scope)
    const resource = sameResource(params.resource, grant.resource)

    const { accessToken, expiresIn, accessScope } = await issueAccessToken(ctx, grant, { scope, resource, now })
    const successor = randomToken()
    const answer = {
      access_token: accessToken,
      token_type: 'Bearer',
      expires_in: expiresIn,
      refresh_token: successor,
      scope: accessScope,
    }
    const rotation = {
      predecessorHash: keyHash,
      successor: successorOf(payload, successor, grant, now),
      successorAnswer: await sealAnswer(presented, answer),
    }
    if (await artifacts.rotate(rotation, now)) {
      ctx.body = answer
      return
    }
    const used = await artifacts.find(keyHash)
    if (used === null) throw new InvalidGrant('the grant is over')
    await answerAgain(ctx, used, presented, grant, clock.now())
  }

  /** The same answer once more for a parallel or lost request; for anything else the end of the family. */
  async function answerAgain(
    ctx: TokenEndpointGrantContext<Parameters>,
    { consumedAt, successorHash, successorAnswer }: StoredArtifact,
    presented: string,
    grant: Grant,
    now: Date,
  ): Promise<void> {
    const successor = successorHash === null ? null : await artifacts.find(successorHash)
    const isImmediate = successor !== null && successor.consumedAt === null && successorAnswer !== null
    const isInTime = consumedAt !== null && now.getTime() - consumedAt.getTime() <= graceMs
    if (isImmediate && isInTime) {
      narrowedScope(ctx.oidc.params.scope, grant.scope)
      sameResource(ctx.oidc.params.resource, grant.resource)
      ctx.body = await openAnswer(presented, successorAnswer)
      return
    }
    await grants.revoke(grant.id, 'reuse', now)
    throw new InvalidGrant('refresh token was used before')
  }

  async function issueAccessToken(
    ctx: TokenEndpointGrantContext<Parameters>,
    grant: Grant,
    { scope, resource, now }: { scope: string; resource: string; now: Date },
  ): Promise<{ accessToken: string; expiresIn: number; accessScope: string }> {
    const { provider } = deps
    const resourceServer = new provider.ResourceServer(resource, deps.resourceServerInfo(resource))
    const accessScope = scope
      .split(' ')
      .filter((name) => resourceServer.scopes.has(name))
      .join(' ')
    const iat = epochSeconds(now)
    const token = new provider.AccessToken({
      iat,
      exp: iat + (resourceServer.accessTokenTTL ?? 0),
      accountId: grant.principalId,
      client: ctx.oidc.client,
      grantId: grant.id,
      gty: 'refresh_token',
      resourceServer,
      scope: accessScope,
    })
    return { accessToken: await token.save(), expiresIn: token.expiration, accessScope }
  }

  function successorOf(payload: AdapterPayload, value: string, grant: Grant, now: Date) {
    const idleEnd = addMs(now, deps.idleMs)
    const expiresAt = idleEnd < grant.expiresAt ? idleEnd : grant.expiresAt
    const keyHash = artifactHash('RefreshToken', value)
    const next = {
      ...payload,
      iat: epochSeconds(now),
      exp: epochSeconds(expiresAt),
    }
    return {
      keyHash,
      kind: 'RefreshToken' as const,
      grantId: grant.id,
      sealedPayload: sealPayload(vault, keyHash, next),
      expiresAt,
    }
  }
}

const epochSeconds = (date: Date) => Math.floor(date.getTime() / 1000)

/** RFC 6749 section 6: what was granted, or less. The grant itself stays as it is. */
function narrowedScope(asked: string | undefined, granted: string): string {
  if (asked === undefined || asked === '') return granted
  const missing = asked.split(' ').filter((name) => !granted.split(' ').includes(name))
  if (missing.length > 0) throw new InvalidScope('more than was granted', missing.join(' '))
  return asked
}

/** RFC 8707 section 2.2: the granted one, or none named. */
function sameResource(asked: Parameters['resource'], granted: string): string {
  if (asked !== undefined && asked !== granted) throw new InvalidTarget('not the resource that was granted')
  return granted
}

/** A key that only who holds the used token can make. */
const keyOf = (token: string) => new Uint8Array(hkdfSync('sha256', token, '', 'patchbay/refresh-successor', 32))

function sealAnswer(token: string, answer: TokenAnswer): Promise<string> {
  return new CompactEncrypt(new TextEncoder().encode(JSON.stringify(answer)))
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
    .encrypt(keyOf(token))
}

async function openAnswer(token: string, sealed: string): Promise<TokenAnswer> {
  const { plaintext } = await compactDecrypt(sealed, keyOf(token))
  return JSON.parse(new TextDecoder().decode(plaintext))
}
