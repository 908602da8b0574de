import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { packageRoot } from '../../../src/config/package-root.ts'
import { type Home, startHome, type TravellingClient, travel } from './home.ts'

const program = join(packageRoot(), 'node_modules', 'mcp-remote', 'dist', 'proxy.js')

describe('mcp-remote', function () {
  this.timeout(90_000)
  let home: Home
  let folder: string
  before(async () => {
    home = await startHome()
    folder = await mkdtemp(join(tmpdir(), 'mcp-remote-'))
  })
  after(async () => {
    await home.close()
    await rm(folder, { recursive: true, force: true })
  })

  /** What it wrote down, by the end of the file's name. */
  async function remembered(ending: string): Promise<Record<string, string>> {
    const files = await readdir(folder, { recursive: true })
    const file = files.find((name) => name.endsWith(ending))
    if (file === undefined) throw new Error(`mcp-remote wrote no ${ending}: ${files}`)
    return JSON.parse(await readFile(join(folder, file), 'utf8'))
  }

  /** The program between a client on stdio and us, one process for each call. */
  function mcpRemote(): TravellingClient & { end(): Promise<void> } {
    let tokens: { access_token: string; refresh_token?: string } | undefined
    let clientId = ''
    let asked: URL | undefined
    let waiting: { client: Client; account: Promise<string> } | undefined

    function start() {
      const client = new Client({ name: 'stdio-client', version: '1.0.0' })
      const transport = new StdioClientTransport({
        command: process.execPath,
        args: [program, home.url, '--allow-http', '--transport', 'http-only'],
        // no browser is to be found
        env: { PATH: '/nowhere', HOME: folder, MCP_REMOTE_CONFIG_DIR: folder },
        stderr: 'pipe',
      })
      let output = ''
      const url = new Promise<URL>((resolve) => {
        transport.stderr?.on('data', (chunk: Buffer) => {
          output += chunk
          const found = /by visiting:\s+(http\S+)\s/.exec(output)?.[1]
          if (found !== undefined) resolve(new URL(found))
        })
      })
      const account = client
        .connect(transport as Parameters<Client['connect']>[0])
        .then(() => client.callTool({ name: 'whoami', arguments: {} }))
        .then(({ structuredContent }) => (structuredContent as { account: string }).account)
        .catch((error: unknown) => {
          throw new Error(`mcp-remote: ${error}\n${output}`)
        })
      return { client, url, account }
    }

    async function remember(): Promise<void> {
      tokens = (await remembered('tokens.json')) as typeof tokens
      clientId = (await remembered('client_info.json')).client_id ?? ''
    }

    return {
      async whoami() {
        const { client, url, account } = start()
        const first = await Promise.race([account, url])
        if (first instanceof URL) {
          asked = first
          waiting = { client, account }
          return null
        }
        await client.close()
        await remember()
        return first
      },
      authorizationUrl: () => asked ?? new URL('about:blank'),
      async finish(callback) {
        await fetch(callback)
        await waiting?.account
        await waiting?.client.close()
        waiting = undefined
        await remember()
      },
      given: () => tokens ?? { access_token: '' },
      clientId: () => clientId,
      async end() {
        waiting?.account.catch(() => undefined)
        await waiting?.client.close()
      },
    }
  }

  it('goes the whole way, registering itself', async () => {
    const client = mcpRemote()
    await travel(home, client).finally(() => client.end())
  })
})
