import { stripVTControlCharacters } from 'node:util'
import { expect } from 'chai'
import { renderDiagnosis } from '../../../src/cli/doctor-report.ts'
import { type Diagnosis, probeOutcomes } from '../../../src/doctor/report.ts'
import { stepVerdicts } from '../../../src/upstream/discovery-step.ts'

const origin = 'https://mcp.example'

const good: Diagnosis = {
  url: `${origin}/mcp`,
  presetId: null,
  verdict: 'auth_required',
  probe: {
    outcome: 'unauthorized',
    status: 401,
    protocolVersion: null,
    challenge: { resourceMetadata: `${origin}/prm`, scopes: ['a'], error: null },
  },
  documents: [
    {
      document: 'protected_resource_metadata',
      source: 'challenge',
      url: `${origin}/prm`,
      status: 200,
      verdict: 'used',
    },
    { document: 'authorization_server_metadata', source: 'root', url: `${origin}/as`, status: 404, verdict: 'absent' },
    { document: 'authorization_server_metadata', source: 'root', url: `${origin}/oidc`, verdict: 'used', status: 200 },
  ],
  checks: { resource: 'passed', issuer: 'passed', pkce: 'passed' },
  authorizationServer: {
    issuer: origin,
    authorizationEndpoint: `${origin}/authorize`,
    tokenEndpoint: `${origin}/token`,
    registrationEndpoint: `${origin}/register`,
    revocationEndpoint: null,
    tokenEndpointAuthMethods: ['none'],
    isIssParameterSupported: true,
    isClientIdMetadataDocumentSupported: false,
    isLegacyFallback: false,
  },
  resource: `${origin}/mcp`,
  clients: [
    { kind: 'given', isAvailable: false, isUsed: false },
    { kind: 'preset', isAvailable: false, isUsed: false },
    { kind: 'metadata_document', isAvailable: false, isUsed: false },
    { kind: 'registration', isAvailable: true, isUsed: true },
    { kind: 'none', isAvailable: true, isUsed: false },
  ],
  scopes: { values: ['a', 'b'], source: 'challenge' },
  findings: [{ severity: 'warning', code: 'plain_http', problem: 'Something is so.', fix: 'Do that.' }],
}

const bad: Diagnosis = {
  ...good,
  verdict: 'upstream_unreachable',
  probe: { outcome: 'unreachable', status: null, protocolVersion: null, challenge: null },
  documents: [],
  checks: { resource: 'not_checked', issuer: 'not_checked', pkce: 'not_checked' },
  authorizationServer: null,
  scopes: null,
  findings: [{ severity: 'error', code: 'upstream_unreachable', problem: 'Nobody there.', fix: 'Look.' }],
}

const plain = (diagnosis: Diagnosis) => renderDiagnosis(diagnosis, { hasColour: false })

describe('renderDiagnosis', () => {
  it('shows each rung with its mark, and the conclusion', () => {
    const lines = plain(good).split('\n')
    expect(lines[0]).to.equal('https://mcp.example/mcp')
    expect(lines).to.include.members([
      'MCP server',
      '  ✓ answer     asks for authorization (HTTP 401)',
      '  ✓ 200  https://mcp.example/prm  used',
      '  – 404  https://mcp.example/as  not there',
      '  ✓ PKCE              S256',
      '  – scopes            a b (from the challenge)',
      '  ✓ registration     the server registers clients: this one',
      'On connect: auth_required, a person is sent to https://mcp.example/authorize',
      '! Something is so.',
      '  → Do that.',
    ])
  })

  it('aligns the names of a section', () => {
    const lines = plain(good).split('\n')
    const from = lines.indexOf('Authorization server') + 1
    const section = lines.slice(from, lines.indexOf('', from))
    expect(section).to.have.length(7)
    const columns = section.map((line) => line.slice(4).search(/(?<= {2})\S/))
    expect(new Set(columns).size).to.equal(1)
  })

  it('says no more than there is: a server that cannot be reached has no further sections', () => {
    expect(plain(bad)).to.equal(
      [
        'https://mcp.example/mcp',
        '',
        'MCP server',
        '  ✗ answer  cannot be reached',
        '',
        'On connect: upstream_unreachable',
        '',
        '✗ Nobody there.',
        '  → Look.',
      ].join('\n'),
    )
  })

  it('colours on request only, and the colours are all that differs', () => {
    const coloured = renderDiagnosis(good, { hasColour: true })
    expect(plain(good)).to.not.include('\u001b')
    expect(coloured).to.include('\u001b[32m✓')
    expect(stripVTControlCharacters(coloured)).to.equal(plain(good))
  })

  for (const outcome of probeOutcomes) {
    it(`has words for the answer "${outcome}"`, () => {
      const text = plain({ ...bad, probe: { ...bad.probe, outcome } })
      expect(text)
        .to.match(/ {2}[✓✗] answer {2,}\w/)
        .and.not.include('undefined')
    })
  }

  for (const verdict of stepVerdicts) {
    it(`has words for a document that was "${verdict}"`, () => {
      const [first] = good.documents
      const documents = first === undefined ? [] : [{ ...first, verdict }]
      expect(plain({ ...good, documents })).to.match(/ {2}[✓✗–] 200 {2}https:\/\/mcp\.example\/prm {2}\w/)
    })
  }
})
