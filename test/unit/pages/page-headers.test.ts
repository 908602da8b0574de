import { expect } from 'chai'
import { pageHeaders } from '../../../src/http/pages/page-headers.ts'

describe('pageHeaders', () => {
  // @guards src/http/pages/page-headers.ts:pageHeaders
  it('AP-12, CB-11, CN-08: allows the own style, data images and own forms, and nothing else', () => {
    expect(pageHeaders({ nonce: 'N0nce_-', isHttps: false })).to.deep.equal({
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy':
        "default-src 'none'; style-src 'nonce-N0nce_-'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
      'X-Frame-Options': 'DENY',
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'no-referrer',
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cache-Control': 'no-store',
    })
  })

  it('adds HSTS with https only', () => {
    expect(pageHeaders({ nonce: 'n', isHttps: true })).to.include({ 'Strict-Transport-Security': 'max-age=31536000' })
    expect(pageHeaders({ nonce: 'n', isHttps: false })).not.to.have.property('Strict-Transport-Security')
  })
})
