import { expect } from 'chai'
import { escapeHtml, html } from '../../../src/http/pages/html.ts'

describe('html', () => {
  it('escapes text for content and for attributes in quotes', () => {
    const text = `<b title="x" id='y'>&amp; \`z\``
    expect(html`<p title="${text}">${text}</p>`.toString()).to.equal(
      `<p title="${escapeHtml(text)}">${escapeHtml(text)}</p>`,
    )
    expect(escapeHtml(text)).to.equal('&lt;b title=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp; &#96;z&#96;')
  })

  it('keeps what came out of a template, joins lists, leaves nothing out of nothing', () => {
    const items = ['a', '<b>'].map((item) => html`<li>${item}</li>`)
    expect(html`<ul>${items}</ul>${[1, ['<', html`<hr>`]]}${null}${undefined}${false}${''}${0}`.toString()).to.equal(
      '<ul><li>a</li><li>&lt;b&gt;</li></ul>1&lt;<hr>0',
    )
  })

  it('takes nothing else for a template, however it is dressed', () => {
    const lookalike = { toString: () => '<script>', strings: ['<script>'] }
    // biome-ignore lint/suspicious/noExplicitAny: what the types forbid is what is tried
    expect(() => html`${lookalike as any}`).to.throw(TypeError)
  })

  it('refuses an attribute value without quotes, which escaping could not protect', () => {
    expect(() => html`<a title=${'x onclick=pwned()'}>`).to.throw(TypeError, 'quotes')
    expect(html`<a title="${'x onclick=pwned()'}">`.toString()).to.equal('<a title="x onclick=pwned()">')
  })
})
