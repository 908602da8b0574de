import { expect } from 'chai'
import { AppError } from '../../../src/kernel/app-error.ts'
import { parseRetryAfter } from '../../../src/upstream/retry-after.ts'
import { classifyTokenAnswer, type TokenOutcome } from '../../../src/upstream/token-outcome.ts'
import { readTokenResponse } from '../../../src/upstream/token-response.ts'

const at = new Date('2026-01-01T00:00:00Z')
const tokens = { access_token: 'at', token_type: 'Bearer', expires_in: 60 }

function outcomeOf(status: number, body: unknown, retryAfter: string | null = null): TokenOutcome {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return classifyTokenAnswer({ kind: 'answer', status, body: text, retryAfter, at })
}

function failureOutcome(code: ConstructorParameters<typeof AppError>[0], isRequestSent: boolean): TokenOutcome {
  return classifyTokenAnswer({ kind: 'failure', error: new AppError(code, 'x', { meta: { isRequestSent } }) })
}

describe('classifyTokenAnswer', () => {
  const upstreamError = { kind: 'transient', reason: 'upstream_error' }
  const rows: readonly (readonly [string, TokenOutcome, object])[] = [
    [
      'refused before a byte was sent',
      failureOutcome('upstream_unreachable', false),
      { kind: 'transient', isAmbiguous: false },
    ],
    [
      'reset after bytes were sent',
      failureOutcome('upstream_unreachable', true),
      { kind: 'transient', isAmbiguous: true },
    ],
    [
      'no connection in time',
      failureOutcome('upstream_timeout', false),
      { isAmbiguous: false, reason: 'upstream_timeout' },
    ],
    ['no answer in time', failureOutcome('upstream_timeout', true), { isAmbiguous: true, reason: 'upstream_timeout' }],
    [
      'a re-pointed address (SS-14)',
      failureOutcome('egress_blocked', false),
      { kind: 'transient', isAmbiguous: false },
    ],
    ['a redirect, a coded or oversized body', failureOutcome('upstream_protocol_error', true), { kind: 'malformed' }],
    ['500', outcomeOf(500, 'oops'), { ...upstreamError, isAmbiguous: true }],
    ['503 without Retry-After', outcomeOf(503, ''), { ...upstreamError, isAmbiguous: true }],
    ['503 with it', outcomeOf(503, '', '7'), { ...upstreamError, isAmbiguous: false, retryAfterMs: 7000 }],
    ['500 with invalid_grant', outcomeOf(500, { error: 'invalid_grant' }), { ...upstreamError, isAmbiguous: true }],
    ['408', outcomeOf(408, ''), { ...upstreamError, isAmbiguous: true }],
    ['425', outcomeOf(425, ''), { ...upstreamError, isAmbiguous: true }],
    ['429', outcomeOf(429, '', '30'), { ...upstreamError, isAmbiguous: false, retryAfterMs: 30_000 }],
    ['429 with an error', outcomeOf(429, { error: 'invalid_grant' }), { kind: 'transient', isAmbiguous: false }],
    ['invalid_grant', outcomeOf(400, { error: 'invalid_grant' }), { kind: 'rejected', error: 'invalid_grant' }],
    ['invalid_grant with 401', outcomeOf(401, { error: 'invalid_grant' }), { kind: 'rejected' }],
    ['an error with status 200', outcomeOf(200, { error: 'bad_refresh_token' }), { kind: 'rejected' }],
    ['an error beside a token', outcomeOf(200, { ...tokens, error: 'invalid_grant' }), { kind: 'rejected' }],
    ['invalid_client', outcomeOf(401, { error: 'invalid_client' }), { kind: 'client_rejected' }],
    ['unauthorized_client', outcomeOf(400, { error: 'unauthorized_client' }), { kind: 'client_rejected' }],
    ['invalid_request', outcomeOf(400, { error: 'invalid_request' }), { kind: 'config' }],
    ['invalid_scope', outcomeOf(400, { error: 'invalid_scope' }), { kind: 'config' }],
    ['invalid_target', outcomeOf(400, { error: 'invalid_target' }), { kind: 'config' }],
    ['unsupported_grant_type', outcomeOf(400, { error: 'unsupported_grant_type' }), { kind: 'config' }],
    [
      'temporarily_unavailable',
      outcomeOf(400, { error: 'temporarily_unavailable' }),
      { kind: 'transient', isAmbiguous: false },
    ],
    ['an unknown error', outcomeOf(400, { error: 'odd' }), { kind: 'malformed' }],
    ['an error that is no code', outcomeOf(400, { error: { a: 1 } }), { kind: 'malformed' }],
    ['a page with 403', outcomeOf(403, '<html>'), { ...upstreamError, isAmbiguous: false }],
    ['404', outcomeOf(404, ''), { ...upstreamError, isAmbiguous: false }],
    ['200 that is no JSON', outcomeOf(200, '<html>'), { kind: 'malformed' }],
    ['200 without a token', outcomeOf(200, { token_type: 'Bearer' }), { kind: 'malformed' }],
    ['200 with another token type', outcomeOf(200, { ...tokens, token_type: 'mac' }), { kind: 'malformed' }],
    ['200 with a list', outcomeOf(200, [tokens]), { kind: 'malformed' }],
    ['204', outcomeOf(204, ''), { kind: 'malformed' }],
    ['200 with null for an error', outcomeOf(200, { ...tokens, error: null }), { kind: 'ok' }],
    ['201 with tokens', outcomeOf(201, tokens), { kind: 'ok' }],
  ]
  for (const [name, outcome, expected] of rows) {
    it(`REL-10: ${name}`, () => {
      expect(outcome).to.deep.include(expected)
    })
  }

  it('CR-06: lets no text of the upstream into an outcome', () => {
    const outcome = outcomeOf(400, { error: 'se cret\n', error_description: 'secret' })
    expect(JSON.stringify(outcome)).not.to.contain('cret')
  })
})

describe('readTokenResponse', () => {
  it('reads the token type in any case or missing', () => {
    for (const token_type of ['bearer', 'Bearer', 'BEARER', undefined]) {
      expect(readTokenResponse({ ...tokens, token_type })?.accessToken.reveal(), token_type).to.equal('at')
    }
    for (const token_type of ['', 'DPoP', 7, 'bearer '])
      expect(readTokenResponse({ ...tokens, token_type })).to.equal(null)
  })

  it('REL-10: reads expires_in strictly, between one second and 30 days', () => {
    const lifetimes: readonly (readonly [unknown, number | undefined])[] = [
      ...([
        [3600, 3600],
        ['3600', 3600],
        [59.9, 59],
        ['1.5', 1],
        [0.2, 1],
        [1e12, 2_592_000],
      ] as const),
      ...([
        [Number.POSITIVE_INFINITY, 2_592_000],
        [0, undefined],
        [-1, undefined],
        ['0', undefined],
      ] as const),
      ...([
        ['', undefined],
        ['1h', undefined],
        [' 60', undefined],
        ['0x10', undefined],
        [true, undefined],
      ] as const),
      ...([
        [Number.NaN, undefined],
        [[60], undefined],
        [undefined, undefined],
      ] as const),
    ]
    for (const [value, expected] of lifetimes) {
      expect(readTokenResponse({ ...tokens, expires_in: value })?.expiresInSeconds, String(value)).to.equal(expected)
    }
  })

  it('takes scopes as text or list, and absent ones for "as asked for"', () => {
    expect(readTokenResponse({ ...tokens, scope: 'a b' })?.scopes).to.deep.equal(['a', 'b'])
    expect(readTokenResponse({ ...tokens, scope: 'a,b' })?.scopes).to.deep.equal(['a', 'b'])
    expect(readTokenResponse({ ...tokens, scope: ['a', 'b'] })?.scopes).to.deep.equal(['a', 'b'])
    for (const scope of ['', undefined, 7, {}])
      expect(readTokenResponse({ ...tokens, scope })).not.to.have.property('scopes')
  })

  it('refuses access tokens that could not stand in a header, and passes over such refresh tokens', () => {
    for (const access_token of ['', 'a b', 'a\r\nx: y', 'ü', 7, 'a'.repeat(20_000)]) {
      expect(readTokenResponse({ ...tokens, access_token })).to.equal(null)
    }
    expect(readTokenResponse({ ...tokens, refresh_token: '' })).not.to.have.property('refreshToken')
    expect(readTokenResponse({ ...tokens, refresh_token: 'rt' })?.refreshToken?.reveal()).to.equal('rt')
  })
})

describe('parseRetryAfter', () => {
  it('reads seconds and dates, and holds them between one second and one hour', () => {
    const values: readonly (readonly [string | null, number | undefined])[] = [
      ...([
        ['5', 5000],
        [' 5 ', 5000],
        ['0', 1000],
        ['999999', 3_600_000],
      ] as const),
      ...([
        ['Thu, 01 Jan 2026 00:01:00 GMT', 60_000],
        ['Wed, 31 Dec 2025 00:00:00 GMT', 1000],
      ] as const),
      ...([
        ['soon', undefined],
        ['-5', undefined],
        ['1.5', undefined],
        ['', undefined],
        [null, undefined],
      ] as const),
      ...([
        ['2027-01-01', undefined],
        ['9'.repeat(1000), undefined],
      ] as const),
    ]
    for (const [value, expected] of values) expect(parseRetryAfter(value, at), String(value)).to.equal(expected)
  })
})
