import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { expect } from 'chai'
import type { Adapter } from 'oidc-provider'
import * as oauth from 'openid-client'
import { systemClock } from '../../../src/kernel/clock.ts'
import { sandboxAddresses } from '../../../src/sandbox/addresses.ts'
import { createAuthorizationServer, signInPath } from '../../../src/sandbox/authorization-server.ts'
import { silentLog } from '../../../src/sandbox/sandbox-log.ts'
import { createSignIn } from '../../../src/sandbox/sign-in.ts'
import { createTokenStore, type TokenStore } from '../../../src/sandbox/token-store.ts'
import { authorize, refreshTokenOf, registerClient } from './journey.ts'

const parties = 5

/** Lets nobody past a look-up of a refresh token until all parties have made theirs: the worst moment, each time. */
function withBarrier(store: TokenStore): TokenStore {
  let arrived = 0
  let open: () => void = () => undefined
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  return {
    ...store,
    adapter(model) {
      const inner = store.adapter(model)
      if (model !== 'RefreshToken') return inner
      const find: Adapter['find'] = async (id) => {
        const found = await inner.find(id)
        arrived += 1
        if (arrived === parties) open()
        await gate
        return found
      }
      return { ...inner, find }
    },
  }
}

/** What most stores do: mark the token as used, whoever else did so already. */
function withCarelessConsume(store: TokenStore): TokenStore {
  return {
    ...store,
    adapter: (model) => ({ ...store.adapter(model), consume: async () => undefined }),
  }
}

describe('sandbox: one refresh token redeemed by several at once', () => {
  let server: Server
  const start = async (store: TokenStore): Promise<string> => {
    server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const addresses = sandboxAddresses(typeof address === 'object' && address !== null ? address.port : 0)
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const signingKey = { ...privateKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig', kid: '1' }
    const provider = createAuthorizationServer({ addresses, store, signingKey, tokenTtlSeconds: 60, log: silentLog })
    const signIn = createSignIn({ provider, addresses })
    const rest = provider.callback()
    server.on('request', (request, response) => {
      void (request.url?.startsWith(signInPath) ? signIn(request, response) : rest(request, response))
    })
    return addresses.origin
  }
  afterEach(() => {
    server.close()
    server.closeAllConnections()
  })

  const race = async (store: TokenStore): Promise<number> => {
    const client = await registerClient(await start(store))
    const tokens = await authorize(client)
    const attempts = Array.from({ length: parties }, () => oauth.refreshTokenGrant(client, refreshTokenOf(tokens)))
    const outcomes = await Promise.allSettled(attempts)
    return outcomes.filter((outcome) => outcome.status === 'fulfilled').length
  }

  it('gives one new token', async () => {
    expect(await race(withBarrier(createTokenStore({ clock: systemClock })))).to.equal(1)
  })

  it('negative control: gives as many as asked when consume() checks nothing', async () => {
    const store = withBarrier(withCarelessConsume(createTokenStore({ clock: systemClock })))
    expect(await race(store)).to.equal(parties)
  })
})
