import { expect } from 'chai'
import { z } from 'zod'
import { type SettingEntry, settingTable } from '../../../src/config/settings.ts'
import { createConnector } from '../../support/connecting.ts'
import { hostBrowser } from '../../support/host.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { createRawHost, type RawHost } from '../../support/raw-host.ts'

/** Every setting that is a switch, in the position that is not the usual one: whoever adds a switch has it thrown here. */
function everySwitchThrown(): Record<string, string> {
  const thrown = Object.entries<SettingEntry>(settingTable).flatMap(([name, { schema, fallback }]) => {
    const others = schema instanceof z.ZodEnum ? schema.options.filter((option) => option !== fallback) : []
    return others.length === 0 || name === 'LOG_LEVEL' ? [] : [[name, String(others[0])]]
  })
  return Object.fromEntries(thrown)
}

describe('consent', () => {
  let patchbay: Patchbay
  let host: RawHost

  before(async () => {
    const switches = everySwitchThrown()
    expect(switches).to.include({ CONNECT_CONFIRMATION: 'none' })
    patchbay = await startPatchbay({ env: { ...switches, CLIENT_HOSTS_ALLOW: '127.0.0.1', TRUSTED_PROXIES: '1' } })
    host = createRawHost(
      patchbay,
      await createConnector(patchbay, 'https://mcp.example.com/mcp', { credential_scope: 'tenant' }),
    )
  })
  after(() => patchbay.close())

  // @guards src/authorization-server/authorization-server.ts:protocol
  it('CN-03: is asked each time, whatever is set, whoever is known, and whatever was granted before', async () => {
    const clientId = (await host.register()).body.client_id
    const browser = hostBrowser()
    await host.authorize(clientId, browser)
    for (const change of [{}, { prompt: 'consent' }, { prompt: 'login' }, { scope: null }, { state: 'another' }]) {
      const page = await browser.open(host.authorizationUrl(clientId, change))
      expect(page.html, JSON.stringify(change)).to.include('value="authorize"').and.include('value="deny"')
    }
  })

  it('CN-03: is not taken for given where a host wants no page: it gets an error and no code', async () => {
    const clientId = (await host.register()).body.client_id
    const browser = hostBrowser()
    await host.authorize(clientId, browser)
    const { url } = await browser.open(host.authorizationUrl(clientId, { prompt: 'none' }))
    const { searchParams } = new URL(url)
    expect(searchParams.has('code')).to.equal(false)
    expect(searchParams.get('error')).to.match(/^(login|consent|interaction)_required$|^invalid_request$/)
    expect(searchParams.get('iss')).to.equal(patchbay.url)
  })
})
