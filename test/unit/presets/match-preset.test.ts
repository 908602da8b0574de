import { expect } from 'chai'
import { isAppError } from '../../../src/kernel/app-error.ts'
import { parseResourceUrl } from '../../../src/kernel/resource-url.ts'
import { loadPresets } from '../../../src/presets/load-presets.ts'
import { createPresetCatalog } from '../../../src/presets/match-preset.ts'

const catalog = createPresetCatalog(
  loadPresets({
    directory: '',
    json: JSON.stringify([
      { id: 'stripe', url: 'https://mcp.stripe.com' },
      { id: 'github', url: 'https://api.githubcopilot.com/mcp' },
    ]),
    readSecret: () => undefined,
  }),
)
const match = (url: string) => catalog.match(parseResourceUrl(url))?.id

describe('createPresetCatalog', () => {
  it('finds a preset by id and lists them all', () => {
    expect(catalog.byId('github')?.url.href).to.equal('https://api.githubcopilot.com/mcp')
    expect(catalog.byId('nobody')).to.equal(undefined)
    expect(catalog.all.map(({ id }) => id)).to.deep.equal(['stripe', 'github'])
  })

  it('MX-09: matches the same address in another spelling', () => {
    for (const url of ['https://mcp.stripe.com', 'https://mcp.stripe.com/', 'HTTPS://MCP.STRIPE.COM:443/']) {
      expect(match(url), url).to.equal('stripe')
    }
    for (const url of ['https://api.githubcopilot.com/mcp', 'https://API.githubcopilot.com/mcp/']) {
      expect(match(url), url).to.equal('github')
    }
  })

  // @guards src/kernel/resource-url.ts:resourceUrlKey
  it('MX-09: matches no address that only looks like it', () => {
    const strangers = [
      ...[
        'https://mcp.stripe.com.evil',
        'https://mcp.stripe.com.',
        'https://evil.mcp.stripe.com',
        'https://stripe.com',
      ],
      ...['http://mcp.stripe.com', 'https://mcp.stripe.com:8443', 'http://mcp.stripe.com:443'],
      ...[
        'https://mcp.stripe.com/v1',
        'https://mcp.stripe.com//',
        'https://mcp.stripe.com/%2e%2e/x',
        'https://mcp.stripe.com/%2f',
      ],
      ...[
        'https://mcp.stripe.com?',
        'https://mcp.stripe.com/?x=1',
        'https://mcp.stripe.com/;x',
        'https://mcp%2estripe.com.evil',
      ],
      ...['https://mcp.str\u0456pe.com', 'https://xn--mcp-stripe.com', 'https://evil.example/https://mcp.stripe.com'],
      ...['https://api.githubcopilot.com', 'https://api.githubcopilot.com/MCP', 'https://api.githubcopilot.com/mcp//'],
      ...[
        'https://api.githubcopilot.com/mcp/x',
        'https://api.githubcopilot.com/mcp/readonly',
        'https://api.githubcopilot.com/%6dcp',
      ],
      ...[
        'https://api.githubcopilot.com/mcp%2f',
        'https://api.githubcopilot.com/mcpx',
        'https://api.githubcopilot.com/mcp;a',
      ],
    ]
    for (const url of strangers) expect(match(url), url).to.equal(undefined)
  })

  it('MX-09: an address with user information, a fragment or stray characters is no address at all', () => {
    const refused = [
      ...['https://mcp.stripe.com@evil.example', 'https://mcp.stripe.com:x@evil.example', 'https://x@mcp.stripe.com'],
      ...[
        'https://mcp.stripe.com#',
        'https://mcp.stripe.com\\@evil.example',
        'https://mcp.stripe.com\t',
        ' https://mcp.stripe.com',
      ],
    ]
    for (const url of refused) {
      expect(() => match(url), url)
        .to.throw()
        .and.satisfy((error: unknown) => isAppError(error, 'url_invalid'))
    }
  })
})
