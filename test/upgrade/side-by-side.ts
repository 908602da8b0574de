// `npm run test:upgrade`: a former version and this one side by side on one database, as while an upgrade is rolled out.
import { expect } from 'chai'
import { packageRoot } from '../../src/config/package-root.ts'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { createConnector, followLink } from '../support/connecting.ts'
import { requireRedis } from '../support/lanes.ts'
import { onEachConnection } from '../support/on-each-connection.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { until } from '../support/until.ts'
import { createBrowser } from '../support/upstreams/browser.ts'
import { freePorts } from '../support/upstreams/free-ports.ts'
import { connectClient } from '../support/upstreams/mcp-clients.ts'
import { buildFormerVersion, findFormerVersion } from './former-version.ts'

const journeys = 12
/** As members of the cluster: the former version's first, of servers and workers alike. */
const names = ['former server', 'this server', 'former worker', 'this worker'] as const

type LogLine = {
  readonly msg?: string
  readonly status?: number
  readonly level?: string | number
  readonly err?: { readonly message?: string }
}
const isError = ({ level }: LogLine): boolean => level === 'error' || level === 50

describe('a former version and this one on one database', function () {
  this.timeout(600_000)
  let patchbay: Patchbay
  let sandbox: Sandbox
  let cluster: Cluster
  const logs = new Map<string, LogLine[]>(names.map((name) => [name, []]))
  const linesOf = (name: (typeof names)[number]) => logs.get(name) ?? []

  before(async function () {
    requireRedis(this)
    const former = await findFormerVersion()
    if (former === null) throw new Error('The former version is not in the history here: git fetch --unshallow --tags')
    const folder = await buildFormerVersion(former.commit)
    console.log(`      former: ${former.commit} "${former.subject}", ${former.commitsAgo} commits ago`)
    ;[patchbay, sandbox] = await Promise.all([startPatchbay(), startSandbox({ port: 0, tokenTtlSeconds: 20 })])
    const [port] = await freePorts(1)
    cluster = await startCluster({
      // this version has migrated the database: as the chart does before the first new process starts
      env: { ...patchbay.env, PORT: String(port), LOG_LEVEL: 'debug' },
      folders: [folder, packageRoot()],
      onLog(line, member) {
        const name = names[member]
        if (name === undefined || !line.startsWith('{')) return
        linesOf(name).push(JSON.parse(line))
      },
    })
    onEachConnection()
  })
  after(async () => {
    await cluster?.close()
    await sandbox?.close()
    await patchbay?.close()
  })

  /** The same Patchbay, by way of the balancer. */
  const both = (): Patchbay => ({
    ...patchbay,
    url: cluster.url,
    request: async (method, path, { key = patchbay.admin, body, headers = {} } = {}) => {
      const response = await fetch(cluster.url + path, {
        method,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      return { status: response.status, headers: response.headers, body: text === '' ? null : JSON.parse(text), text }
    },
  })

  async function connectOne(label: string): Promise<string> {
    const id = await createConnector(both(), sandbox.url, { label })
    const { body } = await both().request('POST', `/api/v1/connectors/${id}/connect`, { body: {} })
    expect(body.state, label).to.equal('auth_required')
    const page = await followLink(body.auth_request.authorization_endpoint, { browser: createBrowser() })
    expect(page.status, page.text).to.equal(200)
    return id
  }
  /** A whole session, each request of it wherever it lands. */
  async function whoami(id: string, era: 'legacy' | 'modern'): Promise<unknown> {
    const headers = { authorization: `Bearer ${patchbay.admin}` }
    const { client, close } = await connectClient(era, { url: `${cluster.url}/connectors/${id}/mcp`, headers })
    const { content } = await client.callTool({ name: 'whoami', arguments: {} })
    await close()
    return (content as { text?: string }[])[0]?.text
  }
  const stateOf = async (id: string) => (await both().request('GET', `/api/v1/connectors/${id}`)).body
  const refreshesOf = async (id: string): Promise<number> => {
    const { body } = await both().request('GET', `/api/v1/connectors/${id}/events?limit=100`)
    return body.items.filter(({ type }: { type: string }) => type === 'connector.refreshed').length
  }

  // @guards src/http/front-door.ts:createFrontDoor
  it('REL-20: serve whole journeys together, each request wherever it lands', async () => {
    const ids = await Promise.all(Array.from({ length: journeys }, (_, index) => connectOne(`journey ${index}`)))
    for (const id of ids) expect((await stateOf(id)).state).to.equal('connected')

    for (const era of ['legacy', 'modern'] as const) {
      const answers = await Promise.all(ids.map((id) => whoami(id, era)))
      expect(new Set(answers), era).to.deep.equal(new Set(['You are Alice.']))
    }

    await until(
      'every token was renewed twice, by whichever worker',
      async () => (await Promise.all(ids.map(refreshesOf))).every((count) => count >= 2),
      120_000,
    )
    for (const id of ids) expect((await stateOf(id)).state, 'no grant was lost').to.equal('connected')

    const [changed = '', ended = '', gone = ''] = ids
    await both().request('PATCH', `/api/v1/connectors/${changed}`, { body: { metadata: { name: 'Changed' } } })
    const names = await Promise.all([0, 1, 2, 3].map(async () => (await stateOf(changed)).metadata.name))
    expect(new Set(names)).to.deep.equal(new Set(['Changed']))
    await both().request('POST', `/api/v1/connectors/${ended}/disconnect`, { body: {} })
    await both().request('DELETE', `/api/v1/connectors/${gone}`)
    for (let turn = 0; turn < 4; turn += 1) {
      expect((await stateOf(ended)).state).to.equal('disconnected')
      expect((await both().request('GET', `/api/v1/connectors/${gone}`)).status).to.equal(404)
    }
  })

  it('control: both served, and nobody failed', () => {
    const served = (name: (typeof names)[number]) => linesOf(name).filter(({ msg }) => msg === 'request')
    const figures = Object.fromEntries(
      names.map((name) => [
        name,
        {
          requests: served(name).length,
          failed: served(name).filter(({ status }) => (status ?? 0) >= 500).length,
          errors: linesOf(name).filter(isError).length,
        },
      ]),
    )
    console.log(`      ${JSON.stringify(figures)}`)
    const errors = names.flatMap((name) =>
      linesOf(name)
        .filter(isError)
        .map(({ msg, err }) => `${name}: ${msg}, ${err?.message}`),
    )
    for (const error of new Set(errors)) console.log(`      ${error}`)
    expect(served('former server').length).to.be.greaterThan(journeys)
    expect(served('this server').length).to.be.greaterThan(journeys)
    for (const { failed, errors } of Object.values(figures))
      expect({ failed, errors }).to.deep.equal({ failed: 0, errors: 0 })
  })

  it('goes on with this version alone', async () => {
    for (const [index, member] of cluster.members.entries()) {
      if (names[index]?.startsWith('former')) expect(await member.end('SIGTERM'), names[index]).to.equal(0)
    }
    // the balancer asks readiness every quarter of a second
    await until(
      'the balancer knows',
      async () => (await fetch(`${cluster.url}/healthz`).catch(() => null))?.ok === true,
    )
    const id = await connectOne('afterwards')
    expect(await whoami(id, 'modern')).to.equal('You are Alice.')
    await until('a token is renewed', async () => (await refreshesOf(id)) >= 1, 60_000)
  })
})
