import { AppError } from '../kernel/app-error.ts'
import {
  type AuthorizationServerMetadata,
  authorizationServerMetadataUrls,
  judgeMetadata,
  type MetadataExpectations,
} from './authorization-server-metadata.ts'
import { type DiscoveryContext, failedStep } from './discovery-step.ts'
import { parseUpstreamUrl } from './endpoint-url.ts'
import { fetchDocument } from './json-document.ts'

/**
 * Looks for the metadata of an issuer in each of its places. Metadata that names another issuer is discarded, and the
 * next place asked; when all that there is was discarded, that is an error.
 *
 * @param issuer an identifier, as it was given; https, or http where the egress guard lets it through
 * @param expected what the metadata may call itself: the identifier itself, both forms of a bare origin that nobody
 *   spelt, or what an operator permits
 * @returns null when there is none
 * @throws AppError `authorization_server_invalid`
 */
export async function findAuthorizationServerMetadata(
  { fetch, remainingMs, report }: DiscoveryContext,
  issuer: string,
  expected: MetadataExpectations,
): Promise<AuthorizationServerMetadata | null> {
  const identifier = parseUpstreamUrl(issuer)
  if (identifier === null || identifier.search !== '') throw invalid(issuer, 'identifier')
  const refused: string[] = []
  for (const url of authorizationServerMetadataUrls(identifier)) {
    const answer = await fetchDocument(fetch, url, { totalMs: remainingMs() })
    const source = identifier.pathname === '/' ? 'root' : 'path'
    const step = { document: 'authorization_server_metadata', source, url: url.href } as const
    if (answer.kind !== 'document') {
      report({ ...step, ...failedStep(answer) })
      continue
    }
    const { status, document } = answer
    if (!('issuer' in document)) {
      report({ ...step, status, verdict: 'absent' })
      continue
    }
    const verdict = judgeMetadata(document, url, expected)
    report({ ...step, status, verdict: verdict.kind === 'accepted' ? 'used' : verdict.kind })
    if (verdict.kind === 'accepted') return verdict.metadata
    refused.push(verdict.kind)
  }
  if (refused.length > 0) throw invalid(issuer, refused.join(' '))
  return null
}

function invalid(issuer: string, reason: string): AppError {
  return new AppError('authorization_server_invalid', 'authorization server metadata refused', {
    publicDetail: reason.includes('issuer_mismatch')
      ? 'The authorization server that the MCP server names calls itself by another name. That is not safe to use.'
      : 'The metadata of the authorization server is broken, or names addresses that must not be used.',
    meta: { issuer, reason },
  })
}
