import { expect } from 'chai'
import { continuePage } from '../../../src/http/pages/continue-page.ts'
import { forwardingPage } from '../../../src/http/pages/forwarding-page.ts'
import { linkPage } from '../../../src/http/pages/link-page.ts'
import { mcpPage } from '../../../src/http/pages/mcp-page.ts'
import { problemPage } from '../../../src/http/pages/problem-page.ts'
import { resultPage } from '../../../src/http/pages/result-page.ts'
import type { ErrorCode } from '../../../src/kernel/app-error.ts'
import { everyPage } from './every-page.ts'
import { xssCorpus } from './xss-corpus.ts'

const nonce = 'dGVzdC1ub25jZQ'

/** The tags of a document in order, with their attributes' names but without the values. */
const skeletonOf = (page: string): string =>
  page
    .replace(/<style[^>]*>.*<\/style>/s, '<style>')
    .match(/<[^>]*>/g)
    ?.map((tag) => tag.replace(/"[^"]*"/g, '""'))
    .join('\n') ?? ''
const titleOf = (page: string): string | undefined => /<title>(.*)<\/title>/.exec(page)?.[1]
const headingOf = (page: string): string | undefined => /<h1>(.*)<\/h1>/.exec(page)?.[1]
/** What a reader sees, roughly. */
const textOf = (page: string): string =>
  page
    .replace(/^.*<main/s, '<main')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')

describe('every page', () => {
  it('is a whole document with one style under the nonce, no script, and nothing from elsewhere', () => {
    for (const [name, page] of Object.entries(everyPage('harmless', nonce))) {
      expect(page, name).to.match(/^<!doctype html>\n<html lang="en">/)
      expect(page, name).to.match(/<\/html>\n$/)
      expect(page.match(/<style/g), name).to.have.lengthOf(1)
      expect(page, name).to.include(`<style nonce="${nonce}">`)
      expect(page, name).not.to.match(
        /<script|<iframe|<object|<embed|<base|<img|\son[a-z]+=|\sstyle=|\ssrc=|@import|url\(/i,
      )
      expect(page.match(/<h1>/g), name).to.have.lengthOf(1)
      const links = [...page.matchAll(/<link[^>]*href="([^"]*)"/g)].map(([, href]) => href)
      expect(links, name).to.have.lengthOf(1)
      expect(links[0], name).to.match(/^data:image\/svg\+xml,/)
    }
  })

  // @guards src/http/pages/html.ts:escapeHtml
  it('CN-05, RD-05: keeps its structure whatever text it is given', () => {
    const harmless = everyPage('harmless', nonce)
    for (const attack of xssCorpus) {
      for (const [name, page] of Object.entries(everyPage(attack, nonce))) {
        expect(skeletonOf(page), `${name}: ${attack}`).to.equal(skeletonOf(harmless[name] ?? ''))
        expect(titleOf(page), `${name}: ${attack}`).to.equal(titleOf(harmless[name] ?? ''))
      }
    }
  })

  it('would be seen to lose its structure if text went in as it is', () => {
    const page = everyPage('harmless', nonce)['not found'] ?? ''
    const broken = xssCorpus.filter((attack) => skeletonOf(page.replace('harmless', attack)) !== skeletonOf(page))
    expect(broken.length).to.be.greaterThan(xssCorpus.length / 2)
  })

  it('leaves no attribute value open to another scheme', () => {
    for (const attack of xssCorpus) {
      for (const [name, page] of Object.entries(everyPage(attack, nonce))) {
        for (const [, value = ''] of page.matchAll(/\s(?:href|action)="([^"]*)"/g)) {
          expect(value, `${name}: ${attack}`).to.match(
            /^(https:\/\/mcp\.stripe\.com\/|\/connect\/|\/oauth\/consent\/|\/account$|\/api\/|data:image\/svg\+xml,)/,
          )
        }
      }
    }
  })
})

describe('continuePage', () => {
  const asked = {
    action: '/connect/abc',
    tenantName: 'Acme',
    initiatorLabel: 'support-bot',
    beneficiary: { scope: 'user', subject: 'alice@acme.example' },
    connectorName: 'Stripe',
    upstream: new URL('https://mcp.stripe.com:8443/v1'),
    authorizationServer: new URL('https://access.stripe.com/oauth'),
    scopes: ['read', 'write'],
  } as const

  it('CB-03: asks who began this, and names everybody and everything involved', () => {
    const text = textOf(continuePage(asked, nonce))
    expect(text).to.include('Did you start this?')
    expect(text).to.include('If you did not start this, close this page.')
    for (const fact of [
      'Acme',
      'support-bot',
      'alice@acme.example',
      'Stripe',
      'mcp.stripe.com:8443',
      'read',
      'write',
    ]) {
      expect(text, fact).to.include(fact)
    }
    expect(text).to.include('Continue to access.stripe.com')
  })

  it('posts to where it was shown, with one button and no hidden field', () => {
    const page = continuePage(asked, nonce)
    expect(page).to.include(
      '<form class="next" method="post" action="/connect/abc"><button class="button" type="submit">',
    )
    expect(page).not.to.include('<input')
  })

  it('says when everybody in the tenant will act through the account', () => {
    const text = textOf(continuePage({ ...asked, beneficiary: { scope: 'tenant', subject: '*' } }, nonce))
    expect(text).to.include('Everyone in Acme')
    expect(text).not.to.include('*')
  })

  it('calls a connector without a visible name by its host', () => {
    for (const connectorName of [undefined, '', '\u200b\u202e']) {
      expect(headingOf(continuePage({ ...asked, connectorName }, nonce))).to.equal(
        'Connect <bdi>mcp.stripe.com:8443</bdi>?',
      )
    }
  })

  it('shows hosts in full and in ASCII, so that nobody hides the end or dresses the letters up', () => {
    const long = `https://accounts.google.com.${'a'.repeat(60)}.evil.example/`
    const text = textOf(continuePage({ ...asked, authorizationServer: new URL(long) }, nonce))
    expect(text).to.include(`.${'a'.repeat(60)}.evil.example`)
    const cyrillic = continuePage({ ...asked, upstream: new URL('https://mcp.str\u0456pe.com/') }, nonce)
    expect(textOf(cyrillic))
      .to.match(/mcp\.xn--\w+-\w+\.com/)
      .and.not.to.include('\u0456')
  })

  it('shows many scopes without pushing the question away, and says when it shows none or not all', () => {
    const many = Array.from({ length: 120 }, (_, index) => `scope-${index}-`)
    const page = continuePage({ ...asked, scopes: many }, nonce)
    expect(page.match(/scope-\d+-/g)).to.have.lengthOf(100)
    expect(page.slice(0, page.indexOf('<details>')).match(/scope-\d+-/g)).to.have.lengthOf(8)
    expect(textOf(page)).to.include('and 112 more').and.to.include('20 more are not shown')
    expect(textOf(continuePage({ ...asked, scopes: [] }, nonce))).to.include('What the server grants by default')
  })
})

describe('forwardingPage', () => {
  it('forwards by itself and by hand to the very same address', () => {
    const target = new URL("https://as.example/authorize?a=1&b=';%22<>x=javascript:0")
    const page = forwardingPage({ target }, nonce)
    const decode = (text = '') => text.replace(/&#39;/g, "'").replace(/&amp;/g, '&')
    expect(decode(/http-equiv="refresh" content="0;url=([^"]*)"/.exec(page)?.[1])).to.equal(target.href)
    expect(decode(/<a class="button" href="([^"]*)"/.exec(page)?.[1])).to.equal(target.href)
  })

  it('SS-03: refuses to forward to anything but the web', () => {
    for (const target of ['javascript:alert(1)', 'data:text/html,x', 'file:///etc/passwd', 'cursor://x']) {
      expect(() => forwardingPage({ target: new URL(target) }, nonce), target).to.throw(TypeError)
    }
  })
})

describe('resultPage', () => {
  it('has the titles of the original API, to the letter', () => {
    const good = resultPage({ outcome: 'connected', upstream: new URL('https://mcp.example/') }, nonce)
    const bad = resultPage({ outcome: 'failed', code: 'upstream_timeout' }, nonce)
    expect([titleOf(good), headingOf(good)]).to.deep.equal(['Authorization Successful', 'Authorization Successful'])
    expect([titleOf(bad), headingOf(bad)]).to.deep.equal(['Authorization Failed', 'Authorization Failed'])
  })

  it('tells what happened, what to do and the code when it failed', () => {
    const codes = [
      'authorization_denied',
      'upstream_timeout',
      'link_expired',
      'storage_unavailable',
      'connector_disabled',
    ] as const
    const texts = codes.map((code) => textOf(resultPage({ outcome: 'failed', code, requestId: 'r-1' }, nonce)))
    for (const [index, text] of texts.entries()) {
      expect(text).to.include(`Code ${codes[index]}`).and.to.include('r-1')
      expect(text).to.match(/(start again|all is well|Ask an administrator)/)
    }
    expect(new Set(texts.map((text) => text.slice(0, text.indexOf('Code'))))).to.have.property('size', codes.length)
  })

  it('says that it was our side for a code that it has no words for, even one from a prototype', () => {
    for (const code of ['internal', 'constructor', '__proto__', 'toString']) {
      expect(textOf(resultPage({ outcome: 'failed', code: code as ErrorCode }, nonce))).to.include(
        'Something went wrong on our side.',
      )
    }
  })
})

describe('linkPage', () => {
  it('CB-12: does not depend on what was wrong with the link', () => {
    const text = textOf(linkPage({ problem: 'unusable' }, nonce))
    for (const reason of ['expired', 'used before', 'replaced', 'incompletely']) expect(text).to.include(reason)
  })

  it("tells somebody else's link from a broken one", () => {
    expect(titleOf(linkPage({ problem: 'unusable' }, nonce))).to.equal('This link does not work')
    expect(titleOf(linkPage({ problem: 'someone_else' }, nonce))).to.equal('This link belongs to someone else')
  })
})

describe('mcpPage', () => {
  it('names the address and shows a configuration that is valid JSON', () => {
    const mcpUrl = 'https://patchbay.example/connectors/0198c2b6-4e1b-7c44-9d6a-6b6a3f1f2a10/mcp'
    const page = mcpPage({ mcpUrl }, nonce)
    const block = /<pre><code>(\{.*?)<\/code>/s.exec(page)?.[1]?.replace(/&quot;/g, '"') ?? ''
    expect(JSON.parse(block)).to.have.nested.property('mcpServers.patchbay.url', mcpUrl)
  })
})

describe('problemPage', () => {
  it('has words for what is missing, for our own failures, for a pause and for the rest', () => {
    const titles = [404, 500, 502, 503, 400, 421].map((status) => titleOf(problemPage({ status }, nonce)))
    expect(titles).to.deep.equal([
      'There is nothing here',
      'Something went wrong',
      'Something went wrong',
      'Not available right now',
      'That did not work',
      'That did not work',
    ])
  })
})
