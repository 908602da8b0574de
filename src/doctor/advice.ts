import { isLoopbackOrigin } from '../kernel/resource-url.ts'
import { tokenEndpointAuthMethods } from '../upstream/client.ts'
import { explainRefusal } from './refusals.ts'
import type { Facts, Finding, FindingCode } from './report.ts'

type Rule = (facts: Facts) => Finding | null

const warning = (code: FindingCode, problem: string, fix: string): Finding => ({
  severity: 'warning',
  code,
  problem,
  fix,
})
const note = (code: FindingCode, problem: string): Finding => ({ severity: 'note', code, problem, fix: null })

const plainHttp: Rule = ({ url }) =>
  url.startsWith('http:') && !isLoopbackOrigin(new URL(url))
    ? warning('plain_http', 'The URL is plain http: tokens would travel unprotected.', 'Use https.')
    : null

const challengeMissing: Rule = ({ probe: { outcome, challenge } }) => {
  if (outcome !== 'unauthorized' || challenge?.resourceMetadata != null) return null
  return warning(
    'challenge_incomplete',
    challenge === null
      ? 'The server asks for authorization without a Bearer challenge.'
      : 'The challenge does not say where the metadata of the server is.',
    'Its WWW-Authenticate header should be: Bearer resource_metadata="<URL>" (RFC 9728 section 5.1).',
  )
}

const pointerDead: Rule = ({ documents }) =>
  documents.some(({ source, verdict }) => source === 'challenge' && verdict === 'absent')
    ? warning(
        'metadata_pointer_dead',
        'There is no metadata where the challenge points.',
        'Correct the resource_metadata of the challenge, or serve the document there.',
      )
    : null

const refusedWith403: Rule = ({ probe }) =>
  probe.outcome === 'unauthorized' && probe.status === 403
    ? note('asked_with_403', 'The server asks for authorization with status 403; without a token it should be 401.')
    : null

const legacyFallback: Rule = ({ authorizationServer, verdict }) =>
  authorizationServer?.isLegacyFallback === true && verdict === 'auth_required'
    ? warning(
        'legacy_fallback',
        'Nothing is published, so the default endpoints of MCP 2025-03-26 would be used, and PKCE cannot be checked.',
        'The server should publish RFC 9728 and RFC 8414 metadata.',
      )
    : null

const mismatchBeside: Rule = ({ documents, checks }) =>
  checks.issuer === 'passed' && documents.some(({ verdict }) => verdict === 'issuer_mismatch')
    ? warning(
        'other_issuer_beside',
        'One of the metadata documents names another issuer, and was passed over.',
        'All metadata documents of an authorization server should name the same issuer.',
      )
    : null

const noCommonAuthMethod: Rule = ({ authorizationServer, clients }) => {
  const offered = authorizationServer?.tokenEndpointAuthMethods ?? []
  const isCommon = offered.length === 0 || tokenEndpointAuthMethods.some((method) => offered.includes(method))
  if (isCommon || clients.some(({ kind, isUsed }) => kind === 'none' && isUsed)) return null
  return warning(
    'no_common_auth_method',
    'The token endpoint lists no way of client authentication that Patchbay has.',
    `It should list one of: ${tokenEndpointAuthMethods.join(', ')}.`,
  )
}

const registrationUntested: Rule = ({ clients, verdict }) =>
  verdict === 'auth_required' && clients.some(({ kind, isUsed }) => kind === 'registration' && isUsed)
    ? note(
        'registration_untested',
        'Whether the server accepts a registration shows only on connecting: the doctor registers nothing.',
      )
    : null

const noScope: Rule = ({ scopes }) =>
  scopes?.source === 'none'
    ? note('no_scope', 'No scope is named anywhere: none is asked for, and the server decides.')
    : null

const noIssParameter: Rule = ({ authorizationServer }) =>
  authorizationServer?.isIssParameterSupported === false
    ? note(
        'no_iss_parameter',
        'Its responses do not carry "iss" (RFC 9207), which would protect against mix-up attacks.',
      )
    : null

const rules: readonly Rule[] = [
  explainRefusal,
  plainHttp,
  challengeMissing,
  pointerDead,
  refusedWith403,
  legacyFallback,
  mismatchBeside,
  noCommonAuthMethod,
  registrationUntested,
  noScope,
  noIssParameter,
]

/** What to know and what to mend, gravest first; never a word of an upstream's. */
export function listFindings(facts: Facts): Finding[] {
  return rules.flatMap((rule) => rule(facts) ?? [])
}
