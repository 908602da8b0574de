import { expect } from 'chai'
import { type Sandbox, startSandbox } from '../../../src/sandbox/sandbox.ts'
import { type ClientDocument, publishClientDocument } from '../../support/client-document.ts'
import { createConnector } from '../../support/connecting.ts'
import { hostBrowser, walkConsent } from '../../support/host.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { createTestClock } from '../../support/test-clock.ts'
import { until } from '../../support/until.ts'

const overAnHourMs = 3_660_000
/** What the clients publish or register. The SDK's own callback is never listened on: the browser stops in front of it. */
export const clientMetadata = {
  client_name: 'A client from npm',
  redirect_uris: ['http://127.0.0.1:33418/callback'],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
}

/** A Patchbay with one connector to the sandbox, where each person has an account of their own. */
export type Home = {
  readonly patchbay: Patchbay
  /** What a person pastes into their client. */
  readonly url: string
  /** A client's metadata document, at an address that Patchbay can fetch. */
  readonly document: ClientDocument
  /** Goes the way of a person: says who they are, connects the upstream where needed, authorizes. */
  consent(authorizationUrl: URL): Promise<URL>
  /** Does this after all access tokens have run out. */
  hourLater(work: () => Promise<void>): Promise<void>
  /** Status and challenge of a call with this token. */
  challenge(accessToken: string | null): Promise<{ status: number; challenge: string }>
  /** Gives a token back (RFC 7009). */
  revoke(clientId: string, token: string): Promise<void>
  close(): Promise<void>
}

export async function startHome(): Promise<Home> {
  const clock = createTestClock()
  const [sandbox, document]: [Sandbox, ClientDocument] = await Promise.all([
    startSandbox({ port: 0, tokenTtlSeconds: 300 }),
    publishClientDocument(clientMetadata),
  ])
  const upstream = new URL(sandbox.url).host
  const patchbay = await startPatchbay({
    clock,
    env: { EGRESS_ALLOW: `${upstream},${document.host}`, REGISTRATIONS_PER_MINUTE: '1000' },
    egress: document.egress,
  })
  const id = await createConnector(patchbay, sandbox.url, { credential_scope: 'user' })
  return {
    patchbay,
    url: `${patchbay.url}/connectors/${id}/mcp`,
    document,
    consent(authorizationUrl) {
      const callback = authorizationUrl.searchParams.get('redirect_uri') ?? ''
      return walkConsent(authorizationUrl.href, 'alice', hostBrowser(callback))
    },
    async hourLater(work) {
      clock.advance(overAnHourMs)
      await work().finally(() => clock.advance(-overAnHourMs))
    },
    async challenge(accessToken) {
      const { status, headers } = await patchbay.request('POST', `/connectors/${id}/mcp`, {
        key: accessToken,
        body: { jsonrpc: '2.0', id: 1, method: 'ping' },
        headers: { accept: 'application/json, text/event-stream' },
      })
      return { status, challenge: headers.get('www-authenticate') ?? '' }
    },
    async revoke(clientId, token) {
      const answer = await fetch(`${patchbay.url}/oauth/revoke`, {
        method: 'POST',
        body: new URLSearchParams({ token, client_id: clientId }),
      })
      expect(answer.status).to.equal(200)
    },
    async close() {
      await patchbay.close()
      await Promise.all([sandbox.close(), document.close()])
    },
  }
}

/** A client as its library makes it, seen from outside. */
export type TravellingClient = {
  /** Connects anew and calls `whoami`. @returns the account; null when the person has to authorize first */
  whoami(): Promise<string | null>
  /** Where it sends the person. */
  authorizationUrl(): URL
  /** Tells it what came back. */
  finish(callback: URL): Promise<void>
  given(): { readonly access_token: string; readonly refresh_token?: string | undefined }
  clientId(): string
}

/** 401, discovery, registration, login, consent, tool call, refresh, revocation, 401. */
export async function travel(home: Home, client: TravellingClient): Promise<void> {
  expect(await client.whoami(), 'before anything was allowed').to.equal(null)
  await client.finish(await home.consent(client.authorizationUrl()))
  expect(await client.whoami(), 'after consent').to.equal('alice')
  const first = client.given()

  await home.hourLater(async () => {
    expect((await home.challenge(first.access_token)).challenge).to.include('error="invalid_token"')
    expect(await client.whoami(), 'after the access token ran out').to.equal('alice')
  })
  const second = client.given()
  expect(second.access_token).to.not.equal(first.access_token)
  expect(second.refresh_token).to.be.a('string').and.not.equal(first.refresh_token)

  await home.revoke(client.clientId(), second.refresh_token ?? '')
  const isRefused = async () => (await home.challenge(second.access_token)).status === 401
  await until('the revocation to be heard of', isRefused, 2000)
  expect((await home.challenge(second.access_token)).challenge).to.include('resource_metadata="')
  expect(await client.whoami(), 'after it was revoked').to.equal(null)
}
