import { expect } from 'chai'
import { authorize, createConnector } from '../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { type ScriptedOAuth, startScriptedOAuth } from '../support/upstreams/scripted-oauth.ts'

const connectors = '/api/v1/connectors'

describe('GET /api/v1/connectors', () => {
  let patchbay: Patchbay
  let upstream: ScriptedOAuth
  let key: string
  let count = 0
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
  before(async () => {
    ;[patchbay, upstream] = await Promise.all([startPatchbay(), startScriptedOAuth({ expiresInSeconds: 3600 })])
    key = await newKey()
    for (const name of names) await createConnector(patchbay, `https://${name}.example/mcp`, { key })
  })
  after(async () => {
    await patchbay.close()
    await upstream.close()
  })

  const newKey = (role: 'member' | 'admin' = 'member') => {
    count += 1
    return patchbay.createKey({ subject: `person ${count}`, role, tenant: `tenant ${count}` })
  }
  const list = async (key: string, query = '') => (await patchbay.request('GET', connectors + query, { key })).body
  const urls = ({ items }: { items: { url: string }[] }) => items.map(({ url }) => new URL(url).host.split('.')[0])

  for (const [order, expected] of [
    ['', [...names].reverse()],
    ['&order=desc', [...names].reverse()],
    ['&order=asc', names],
  ] as const) {
    it(`gives each once, page after page (${order || 'newest first'})`, async () => {
      const seen: (string | undefined)[] = []
      const sizes: number[] = []
      let token = ''
      for (;;) {
        const page = await list(key, `?limit=3${order}${token}`)
        expect(page.total_count).to.equal(names.length)
        expect(page.has_more).to.equal(page.next_page_token !== null)
        seen.push(...urls(page))
        sizes.push(page.items.length)
        if (!page.has_more) break
        token = `&page_token=${page.next_page_token}`
      }
      expect([seen, sizes]).to.deep.equal([expected, [3, 3, 1]])
    })
  }

  it('has no further page when the last one is just full', async () => {
    expect(await list(key, '?limit=7')).to.include({ has_more: false, next_page_token: null })
  })

  it('gives a page of 50 without a limit, and 100 at most', async () => {
    const many = await newKey()
    await Promise.all(
      Array.from({ length: 101 }, (_, index) => createConnector(patchbay, `https://n${index}.example`, { key: many })),
    )
    expect((await list(many)).items).to.have.length(50)
    expect((await list(many, '?limit=100')).items).to.have.length(100)
  })

  it('goes on rightly when connectors come and go between pages', async () => {
    const busy = await newKey()
    const ids: string[] = []
    for (const name of ['p', 'q', 'r'])
      ids.push(await createConnector(patchbay, `https://${name}.example`, { key: busy }))
    const first = await list(busy, '?limit=1')
    await createConnector(patchbay, 'https://s.example', { key: busy })
    await patchbay.request('DELETE', `${connectors}/${ids[2]}`, { key: busy })
    const rest = await list(busy, `?limit=10&page_token=${first.next_page_token}`)
    expect([...urls(first), ...urls(rest)]).to.deep.equal(['r', 'q', 'p'])
  })

  describe('filters', () => {
    it('by url, however it is spelt', async () => {
      for (const url of ['https://b.example/mcp', 'HTTPS://B.EXAMPLE:443/mcp', 'https://b.example/mcp/']) {
        expect(urls(await list(key, `?url=${encodeURIComponent(url)}`)), url).to.deep.equal(['b'])
      }
      expect((await list(key, '?url=https://b.example')).items).to.deep.equal([])
      expect((await list(key, '?url=b')).items).to.deep.equal([])
    })

    it('by preset', async () => {
      const own = await newKey()
      await createConnector(patchbay, 'https://mcp.stripe.com', { key: own })
      await createConnector(patchbay, 'https://elsewhere.example', { key: own })
      expect(urls(await list(own, '?preset=stripe'))).to.deep.equal(['mcp'])
      expect(await list(own, '?preset=box')).to.include({ total_count: 0 })
    })

    it('by the state that the caller sees', async () => {
      const admin = await newKey('admin')
      const id = await createConnector(patchbay, upstream.url, { key: admin })
      await createConnector(patchbay, 'https://idle.example', { key: admin })
      expect(urls(await list(admin, '?state=created'))).to.have.length(2)
      await authorize(patchbay, id, { key: admin })
      expect((await list(admin, '?state=connected')).items.map((item: { id: string }) => item.id)).to.deep.equal([id])
      expect(await list(admin, '?state=created')).to.include({ total_count: 1 })
      expect(await list(admin, '?state=disconnected')).to.include({ total_count: 0 })
    })

    it('by text in url, label and metadata, whatever its case', async () => {
      const own = await newKey()
      await createConnector(patchbay, 'https://one.example/needle', { key: own })
      await createConnector(patchbay, 'https://two.example', { key: own, label: 'A Needle' })
      await createConnector(patchbay, 'https://three.example', { key: own, metadata: { name: 'needles' } })
      await createConnector(patchbay, 'https://four.example', { key: own, metadata: { needle: 'only a key' } })
      expect(urls(await list(own, '?q=NEEDLE&order=asc'))).to.deep.equal(['one', 'two', 'three'])
      expect(await list(own, '?q=NEEDLE&limit=1')).to.include({ total_count: 3, has_more: true })
    })

    for (const text of ['%', '_', '\\', 'a%b', "'", '"', '{']) {
      // @guards src/storage/connector-store.ts:likePattern
      it(`AP-05: takes ${text} as itself in a text to search for`, async () => {
        const own = await newKey()
        await createConnector(patchbay, 'https://plain.example', { key: own, metadata: { name: 'axb' } })
        await createConnector(patchbay, 'https://odd.example', { key: own, metadata: { name: `x${text}y` } })
        expect(urls(await list(own, `?q=${encodeURIComponent(text)}`))).to.deep.equal(['odd'])
      })
    }
  })
})
