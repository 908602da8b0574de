import { expect } from 'chai'
import { createBrowser } from './browser.ts'
import { respond, respondHtml, type ScriptedUpstream, startScriptedUpstream } from './scripted-upstream.ts'

const form = (inside: string, attributes = 'method="post" action="/take"') =>
  `<form ${attributes}>${inside}<button name="decision" value="yes">Go <b>on</b></button></form>`

describe('createBrowser', () => {
  let site: ScriptedUpstream
  let other: ScriptedUpstream
  beforeEach(async () => {
    ;[site, other] = await Promise.all([startScriptedUpstream(), startScriptedUpstream()])
  })
  afterEach(() => Promise.all([site.close(), other.close()]))

  /** Scripts `site` by path. */
  const serve = (pages: Readonly<Record<string, ReturnType<typeof respond>>>): void => {
    site.script(({ target }) => pages[target.split('?')[0] ?? ''] ?? respond(404))
  }

  it('follows redirects and <meta http-equiv=refresh>, and stops where it is told to', async () => {
    serve({
      '/': respond(302, '', { location: '/forward' }),
      '/forward': respondHtml('<meta http-equiv="refresh" content="0; url=\'/end?a=1&amp;b=2\'"><title>wait</title>'),
    })
    const page = await createBrowser({ stopAt: [`${site.origin}/end`] }).open(site.origin)
    expect(page).to.include({ status: 0, url: `${site.origin}/end?a=1&b=2` })
    expect(site.received.map(({ target }) => target)).to.deep.equal(['/', '/forward'])
  })

  it('submits what a person sees: defaults, choices, and the button that was pressed', async () => {
    const fields = `
      <input type="hidden" name="csrf" value="t&quot;">
      <label>Who<input name="who" value="me"></label>
      <label><input type="radio" name="pet" value="cat" checked>Cat</label>
      <label><input type="radio" name="pet" value="dog">Dog</label>
      <input type="checkbox" name="a" checked><input type="checkbox" name="b" id="b"><label for="b">Second</label>
      <select name="size"><option value="s">S<option value="m" selected>M</select>
      <textarea name="note">x</textarea><input name="off" value="1" disabled><button name="decision" value="no">No</button>`
    serve({ '/': respondHtml(form(fields)), '/take': respondHtml('<title>taken</title>') })
    const browser = createBrowser()
    await browser.open(site.origin)
    const page = await browser.submit({ button: 'go on', fields: { Who: 'you', pet: 'Dog', Second: true } })
    expect(page.title).to.equal('taken')
    expect(Object.fromEntries(new URLSearchParams(site.received[1]?.body))).to.deep.equal({
      csrf: 't"',
      who: 'you',
      pet: 'dog',
      a: 'on',
      b: 'on',
      size: 'm',
      note: 'x',
      decision: 'yes',
    })
  })

  it('says what there is when a button, a field or a choice is missing', async () => {
    serve({ '/': respondHtml(form('<input type="radio" name="pet" value="cat">')) })
    const browser = createBrowser()
    await browser.open(site.origin)
    expect(() => browser.submit({ button: 'Deny' })).to.throw('there are: "Go on"')
    expect(() => browser.submit({ fields: { plant: 'fern' } })).to.throw('there are: pet')
    expect(() => browser.submit({ fields: { pet: 'dog' } })).to.throw('there are: cat')
  })

  it('keeps cookies by host and path, whatever the port', async () => {
    serve({
      '/': respond(200, '', { 'set-cookie': ['all=1', 'deep=1; Path=/deep', 'gone=1; Max-Age=0', 'safe=1; Secure'] }),
    })
    const browser = createBrowser()
    await browser.open(site.origin)
    await browser.open(`${other.origin}/deep/er`)
    await browser.open(`${site.origin}/deeper`)
    expect(other.received[0]?.headers.cookie).to.equal('deep=1; all=1')
    expect(site.received[1]?.headers.cookie).to.equal('all=1')
  })

  it('sends SameSite cookies, Origin and Sec-Fetch-Site as a browser does', async () => {
    const away = other.origin.replace('127.0.0.1', 'localhost')
    serve({
      '/': respond(200, '', { 'set-cookie': ['lax=1', 'strict=1; SameSite=Strict'] }),
      '/form': respondHtml(form('')),
    })
    other.script(() =>
      respondHtml(`${form('', `method="post" action="${site.origin}/take"`)}<a href="${site.origin}/x">x</a>`),
    )
    const browser = createBrowser()
    await browser.open(site.origin)
    await browser.open(`${site.origin}/form`)
    await browser.submit()
    await browser.open(away)
    await browser.submit()
    await browser.open(away)
    await browser.follow('x')
    const seen = site.received
      .slice(1)
      .map(({ headers }) => [headers.cookie, headers.origin, headers['sec-fetch-site']])
    expect(seen).to.deep.equal([
      ['lax=1; strict=1', undefined, 'none'],
      ['lax=1; strict=1', site.origin, 'same-origin'],
      [undefined, away, 'cross-site'],
      ['lax=1', undefined, 'cross-site'],
    ])
  })

  for (const [policy, isBlocked] of [
    ["form-action 'self'", true],
    ["default-src 'none'", false],
  ] as const) {
    it(`${isBlocked ? 'is stopped' : 'is not stopped'} by "${policy}" when a form ends in a redirect elsewhere`, async () => {
      serve({
        '/': respond(200, form(''), { 'content-type': 'text/html', 'content-security-policy': policy }),
        '/take': respond(303, '', { location: `${other.origin}/callback` }),
      })
      const browser = createBrowser()
      await browser.open(site.origin)
      const failure = await browser.submit().catch((error: unknown) => error)
      expect(failure instanceof Error).to.equal(isBlocked)
      expect(other.received).to.have.length(isBlocked ? 0 : 1)
    })
  }

  it('gives up on a ring of redirects', async () => {
    serve({ '/': respond(302, '', { location: '/' }) })
    const failure = await createBrowser()
      .open(site.origin)
      .catch((error: unknown) => error)
    expect(failure).to.have.property('message').that.includes('more than 20 redirects')
  })
})
