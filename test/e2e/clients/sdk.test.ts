import {
  Client,
  type OAuthClientProvider,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from '@modelcontextprotocol/client'
import {
  type OAuthClientProvider as Sdk1Provider,
  UnauthorizedError as Sdk1UnauthorizedError,
} from '@modelcontextprotocol/sdk/client/auth.js'
import { Client as Sdk1Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as Sdk1Transport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { expect } from 'chai'
import { type Home, startHome, type TravellingClient, travel } from './home.ts'
import { createMemory } from './memory.ts'

const identity = { name: 'travelling-client', version: '1.0.0' }

describe("the MCP SDKs' own OAuth", function () {
  this.timeout(60_000)
  let home: Home
  before(async () => {
    home = await startHome()
  })
  after(() => home.close())

  /** @param documentUrl the client's id; without one it registers */
  function sdk1(documentUrl?: string): TravellingClient {
    const memory = createMemory()
    const provider = {
      ...memory.provider,
      ...(documentUrl === undefined ? {} : { clientMetadataUrl: documentUrl }),
    } as Sdk1Provider
    const transport = () => new Sdk1Transport(new URL(home.url), { authProvider: provider })
    return {
      ...memory.seen,
      async whoami() {
        const client = new Sdk1Client(identity)
        try {
          await client.connect(transport() as Parameters<Sdk1Client['connect']>[0])
          return accountOf(await client.callTool({ name: 'whoami', arguments: {} }))
        } catch (error) {
          if (error instanceof Sdk1UnauthorizedError) return null
          throw error
        } finally {
          await client.close()
        }
      },
      finish: (callback) => transport().finishAuth(callback.searchParams.get('code') ?? ''),
    }
  }

  /** @param era which it speaks after signing in */
  function sdk2(era: 'legacy' | 'auto', documentUrl?: string): TravellingClient {
    const memory = createMemory()
    const provider = {
      ...memory.provider,
      ...(documentUrl === undefined ? {} : { clientMetadataUrl: documentUrl }),
    } as OAuthClientProvider
    const transport = () => new StreamableHTTPClientTransport(new URL(home.url), { authProvider: provider })
    return {
      ...memory.seen,
      async whoami() {
        const client = new Client(identity, { versionNegotiation: { mode: era } })
        try {
          await client.connect(transport())
          return accountOf(await client.callTool({ name: 'whoami', arguments: {} }))
        } catch (error) {
          if (error instanceof UnauthorizedError) return null
          throw error
        } finally {
          await client.close()
        }
      },
      finish: (callback) => transport().finishAuth(callback.searchParams),
    }
  }

  for (const [name, create] of [
    ['1.x', sdk1],
    ['2.x', (url?: string) => sdk2('legacy', url)],
    ['2.x in both eras', (url?: string) => sdk2('auto', url)],
  ] as const) {
    it(`${name}: goes the whole way, registering itself`, async () => {
      const client = create()
      await travel(home, client)
      expect(client.clientId()).to.not.match(/^https:/)
    })

    it(`${name}: goes the whole way, known by its metadata document`, async () => {
      const client = create(home.document.url)
      await travel(home, client)
      expect(client.clientId()).to.equal(home.document.url)
    })
  }
})

function accountOf(result: object): string {
  if (!('structuredContent' in result)) throw new Error('no structured content')
  return (result.structuredContent as { account: string }).account
}
