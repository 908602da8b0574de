import { auth, createMCPClient, type OAuthClientProvider, UnauthorizedError } from '@ai-sdk/mcp'
import { expect } from 'chai'
import { type Home, startHome, type TravellingClient, travel } from './home.ts'
import { createMemory } from './memory.ts'

describe("@ai-sdk/mcp's own OAuth", function () {
  this.timeout(60_000)
  let home: Home
  before(async () => {
    home = await startHome()
  })
  after(() => home.close())

  function aiSdk(): TravellingClient {
    const memory = createMemory()
    const provider = memory.provider as OAuthClientProvider
    return {
      ...memory.seen,
      async whoami() {
        try {
          const client = await createMCPClient({ transport: { type: 'http', url: home.url, authProvider: provider } })
          const result = await client.callTool({ name: 'whoami', arguments: {} })
          await client.close()
          return (result.structuredContent as { account: string }).account
        } catch (error) {
          if (error instanceof UnauthorizedError) return null
          throw error
        }
      },
      async finish({ searchParams }) {
        const code = searchParams.get('code') ?? ''
        const state = searchParams.get('state') ?? ''
        const iss = searchParams.get('iss') ?? ''
        expect(
          await auth(provider, {
            serverUrl: home.url,
            authorizationCode: code,
            callbackState: state,
            callbackIssuer: iss,
          }),
        ).to.equal('AUTHORIZED')
      },
    }
  }

  it('goes the whole way, registering itself', async () => {
    await travel(home, aiSdk())
  })
})
