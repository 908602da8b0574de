import { styleText } from 'node:util'
import type { CheckResult, Diagnosis, Finding } from '../doctor/report.ts'
import type { StepVerdict } from '../upstream/discovery-step.ts'

type Mark = 'good' | 'bad' | 'warning' | 'neutral'
/** A mark, a name, and what is to be said of it. */
type Row = readonly [mark: Mark, name: string, text: string]
type Paint = (colour: Parameters<typeof styleText>[0], text: string) => string

const marks = {
  good: { sign: '✓', colour: 'green' },
  bad: { sign: '✗', colour: 'red' },
  warning: { sign: '!', colour: 'yellow' },
  neutral: { sign: '–', colour: 'gray' },
} as const

const stepWords: Readonly<Record<StepVerdict, readonly [Mark, string]>> = {
  used: ['good', 'used'],
  absent: ['neutral', 'not there'],
  invalid: ['bad', 'not usable'],
  resource_mismatch: ['bad', 'for another resource'],
  issuer_mismatch: ['bad', 'of another issuer'],
  unavailable: ['bad', 'could not be read'],
  timeout: ['bad', 'did not come in time'],
  blocked: ['bad', 'refused by our egress guard'],
}

const checkMarks: Readonly<Record<CheckResult, Mark>> = {
  passed: 'good',
  failed: 'bad',
  assumed: 'warning',
  not_checked: 'neutral',
}

const clientWords = {
  given: ['your client', 'given with --client-id', 'not given (--client-id)'],
  preset: ["preset's client", 'the preset has one', 'no preset for this URL has one'],
  metadata_document: [
    'client metadata',
    'the server takes our document',
    'the server takes none, or ours has no public address',
  ],
  registration: ['registration', 'the server registers clients', 'the server registers none'],
  none: ['none', 'somebody has to register one', ''],
} as const

const sourceWords = {
  preset: 'from the preset',
  challenge: 'from the challenge',
  protected_resource_metadata: "from the server's metadata",
  none: 'none is named',
} as const

const findingMarks: Readonly<Record<Finding['severity'], Mark>> = { error: 'bad', warning: 'warning', note: 'neutral' }

/** A diagnosis for people at a terminal, without a line break at the end. */
export function renderDiagnosis(diagnosis: Diagnosis, { hasColour }: { readonly hasColour: boolean }): string {
  const paint: Paint = (colour, text) => (hasColour ? styleText(colour, text, { validateStream: false }) : text)
  const sections: [string, readonly Row[]][] = [
    ['MCP server', serverRows(diagnosis)],
    ['Metadata', diagnosis.documents.map(documentRow)],
    ['Authorization server', authorizationServerRows(diagnosis)],
    ['Client, in the order of trying', clientRows(diagnosis)],
  ]
  return [
    paint('bold', diagnosis.url),
    ...sections.flatMap(([title, rows]) =>
      rows.length === 0 ? [] : ['', paint('bold', title), ...table(rows, paint)],
    ),
    '',
    conclusion(diagnosis, paint),
    ...diagnosis.findings.flatMap((finding) => ['', ...findingLines(finding, paint)]),
  ].join('\n')
}

function serverRows({ probe, presetId }: Diagnosis): Row[] {
  const { challenge, status } = probe
  const answers = {
    ok: ['good', `speaks MCP${probe.protocolVersion === null ? '' : ` ${probe.protocolVersion}`}, open to anybody`],
    unauthorized: ['good', `asks for authorization (HTTP ${status})`],
    http_error: ['bad', `HTTP ${status}`],
    not_mcp: ['bad', 'is no MCP server'],
    timeout: ['bad', 'does not answer in time'],
    unreachable: ['bad', 'cannot be reached'],
    blocked: ['bad', 'refused by our egress guard'],
  } as const
  const [mark, text] = answers[probe.outcome]
  const rows: Row[] = [[mark, 'answer', text]]
  if (probe.outcome === 'unauthorized') {
    const pointer = challenge?.resourceMetadata ?? null
    rows.push(pointer === null ? ['warning', 'challenge', 'names no metadata'] : ['good', 'challenge', pointer])
    if (challenge?.error != null) rows.push(['neutral', 'error', challenge.error])
  }
  if (presetId !== null) rows.push(['good', 'preset', presetId])
  return rows
}

function documentRow({ status, verdict, url }: Diagnosis['documents'][number]): Row {
  const [mark, words] = stepWords[verdict]
  return [mark, status === undefined ? '---' : String(status), `${url}  ${words}`]
}

function authorizationServerRows({ authorizationServer: server, checks, resource, scopes, probe }: Diagnosis): Row[] {
  if (probe.outcome !== 'unauthorized') return []
  const unknown = (result: CheckResult) => (result === 'failed' ? 'does not match' : 'not checked')
  const rows: Row[] = [
    [checkMarks[checks.resource], 'resource', server === null ? unknown(checks.resource) : (resource ?? 'left out')],
    [checkMarks[checks.issuer], 'issuer', server === null ? unknown(checks.issuer) : server.issuer],
    [checkMarks[checks.pkce], 'PKCE', pkceWords[checks.pkce]],
  ]
  if (server === null) return rows
  const methods = server.tokenEndpointAuthMethods
  return [
    ...rows,
    ['neutral', 'token endpoint', server.tokenEndpoint],
    ['neutral', 'authenticates by', methods.length === 0 ? 'not listed' : methods.join(', ')],
    server.isIssParameterSupported ? ['good', 'iss', 'in every response'] : ['neutral', 'iss', 'not in its responses'],
    ['neutral', 'scopes', scopes === null ? '' : [...scopes.values, `(${sourceWords[scopes.source]})`].join(' ')],
  ]
}

const pkceWords: Readonly<Record<CheckResult, string>> = {
  passed: 'S256',
  failed: 'S256 is not offered',
  assumed: 'S256 is sent, but nothing says that it is checked',
  not_checked: 'not checked',
}

function clientRows({ clients, authorizationServer }: Diagnosis): Row[] {
  if (authorizationServer === null) return []
  return clients
    .filter(({ kind, isUsed }) => kind !== 'none' || isUsed)
    .map(({ kind, isAvailable, isUsed }): Row => {
      const [name, yes, no] = clientWords[kind]
      const mark = isUsed ? (kind === 'none' ? 'bad' : 'good') : 'neutral'
      return [mark, name, `${isAvailable ? yes : no}${isUsed && kind !== 'none' ? ': this one' : ''}`]
    })
}

function conclusion({ verdict, authorizationServer }: Diagnosis, paint: Paint): string {
  const label = paint('bold', 'On connect: ')
  if (verdict === 'connected') return `${label}${paint('green', 'connected')}, nobody has to do anything`
  if (verdict !== 'auth_required') return `${label}${paint('red', verdict)}`
  return `${label}${paint('green', 'auth_required')}, a person is sent to ${authorizationServer?.authorizationEndpoint ?? ''}`
}

function findingLines({ severity, problem, fix }: Finding, paint: Paint): string[] {
  const { sign, colour } = marks[findingMarks[severity]]
  return [`${paint(colour, sign)} ${problem}`, ...(fix === null ? [] : [`  → ${fix}`])]
}

function table(rows: readonly Row[], paint: Paint): string[] {
  const width = Math.max(...rows.map(([, name]) => name.length))
  return rows.map(([mark, name, text]) => {
    const { sign, colour } = marks[mark]
    return `  ${paint(colour, sign)} ${name.padEnd(width)}  ${text}`
  })
}
