import type { ClientOption } from '../connections/client-options.ts'
import type { ErrorCode } from '../kernel/app-error.ts'
import type { DiscoveryStep } from '../upstream/discovery-step.ts'

/** What connect would come to: a state, or the code with which it would refuse. */
export type Verdict = 'connected' | 'auth_required' | ErrorCode

export const checkResults = ['passed', 'failed', 'assumed', 'not_checked'] as const
/**
 * `assumed`: the server publishes nothing to check against, and the revision of 2025-03-26 permits that.
 * `not_checked`: there was nothing of the kind, or the ladder broke before this rung.
 */
export type CheckResult = (typeof checkResults)[number]

export const probeOutcomes = [
  'ok',
  'unauthorized',
  'http_error',
  'not_mcp',
  'timeout',
  'unreachable',
  'blocked',
] as const

/** The first rung: the server asked without a credential. */
export type ProbeReport = {
  /** `blocked` (our egress guard refused) is told to administrators only; others read `unreachable`. */
  readonly outcome: (typeof probeOutcomes)[number]
  readonly status: number | null
  /** The revision that was agreed on. */
  readonly protocolVersion: string | null
  /** What `WWW-Authenticate` says; null without a Bearer challenge. */
  readonly challenge: {
    readonly resourceMetadata: string | null
    readonly scopes: readonly string[]
    readonly error: string | null
  } | null
}

export const scopeSources = ['preset', 'challenge', 'protected_resource_metadata', 'none'] as const

export const severities = ['error', 'warning', 'note'] as const

/** Of errors: the code with which connect would refuse. */
export type FindingCode =
  | ErrorCode
  | 'plain_http'
  | 'challenge_incomplete'
  | 'metadata_pointer_dead'
  | 'asked_with_403'
  | 'legacy_fallback'
  | 'other_issuer_beside'
  | 'no_common_auth_method'
  | 'registration_untested'
  | 'no_scope'
  | 'no_iss_parameter'

/** Something to know or to mend. Texts are ours, for people. */
export type Finding = {
  readonly severity: (typeof severities)[number]
  readonly code: FindingCode
  /** What is so. */
  readonly problem: string
  /** What to do about it; null when there is nothing to do. */
  readonly fix: string | null
}

export type AuthorizationServerReport = {
  readonly issuer: string
  readonly authorizationEndpoint: string
  readonly tokenEndpoint: string
  readonly registrationEndpoint: string | null
  readonly revocationEndpoint: string | null
  readonly tokenEndpointAuthMethods: readonly string[]
  /** RFC 9207. */
  readonly isIssParameterSupported: boolean
  readonly isClientIdMetadataDocumentSupported: boolean
  /** The endpoints are the defaults of 2025-03-26, since nothing is published. */
  readonly isLegacyFallback: boolean
}

/** What the doctor found out about one MCP server, rung by rung. */
export type Diagnosis = {
  readonly url: string
  readonly presetId: string | null
  readonly verdict: Verdict
  readonly probe: ProbeReport
  /** Every metadata document that was tried, in order. */
  readonly documents: readonly DiscoveryStep[]
  readonly checks: {
    /** RFC 9728 section 3.3. */
    readonly resource: CheckResult
    /** RFC 8414 section 3.3. */
    readonly issuer: CheckResult
    readonly pkce: CheckResult
  }
  readonly authorizationServer: AuthorizationServerReport | null
  /** RFC 8707's `resource` as it would be sent; null: none would. */
  readonly resource: string | null
  readonly clients: readonly ClientOption[]
  readonly scopes: { readonly values: readonly string[]; readonly source: (typeof scopeSources)[number] } | null
  readonly findings: readonly Finding[]
}

/** Everything but the advice, which is made from it. */
export type Facts = Omit<Diagnosis, 'findings'>
