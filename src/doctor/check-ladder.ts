import type { ErrorCode } from '../kernel/app-error.ts'
import type { AuthorizationServer } from '../upstream/authorization-server.ts'
import type { DiscoveryStep } from '../upstream/discovery-step.ts'
import type { CheckResult, Facts } from './report.ts'

/**
 * What discovery checked on its way, read from the documents that it tried and from how it ended.
 *
 * @param server null where it ended with an error
 * @param code of that error
 */
export function checkLadder(
  documents: readonly DiscoveryStep[],
  server: AuthorizationServer | null,
  code: ErrorCode | null,
): Facts['checks'] {
  const match = (document: DiscoveryStep['document'], mismatch: DiscoveryStep['verdict']): CheckResult => {
    const found = documents.filter((step) => step.document === document).map(({ verdict }) => verdict)
    if (found.includes('used')) return 'passed'
    return found.includes(mismatch) ? 'failed' : 'not_checked'
  }
  return {
    resource: match('protected_resource_metadata', 'resource_mismatch'),
    issuer: server?.isLegacyFallback === true ? 'assumed' : match('authorization_server_metadata', 'issuer_mismatch'),
    pkce: code === 'pkce_unsupported' ? 'failed' : checkPkce(server),
  }
}

function checkPkce(server: AuthorizationServer | null): CheckResult {
  if (server === null) return 'not_checked'
  return server.isPkceVerified ? 'passed' : 'assumed'
}
