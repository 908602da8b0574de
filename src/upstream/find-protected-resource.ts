import { AppError } from '../kernel/app-error.ts'
import type { Challenge } from './challenge.ts'
import { type DiscoveryContext, type DiscoveryStep, failedStep } from './discovery-step.ts'
import { parseUpstreamUrl } from './endpoint-url.ts'
import { fetchDocument } from './json-document.ts'
import {
  isResourceOf,
  type ProtectedResourceMetadata,
  parseProtectedResourceMetadata,
  protectedResourceMetadataUrls,
} from './protected-resource-metadata.ts'

/**
 * Looks for the metadata of a protected resource: where the challenge points, by path, at the root. The first place
 * that answers with such a document decides; the next is asked only when one has none.
 *
 * @returns null when there is none
 * @throws AppError `authorization_server_invalid` when the document speaks for another resource, or is broken
 */
export async function findProtectedResource(
  { fetch, remainingMs, report }: DiscoveryContext,
  mcpUrl: URL,
  challenge: Challenge | null,
): Promise<ProtectedResourceMetadata | null> {
  for (const { url, source } of candidates(mcpUrl, challenge)) {
    const answer = await fetchDocument(fetch, url, { totalMs: remainingMs() })
    const step = { document: 'protected_resource_metadata', source, url: url.href } as const
    if (answer.kind !== 'document') {
      report({ ...step, ...failedStep(answer) })
      continue
    }
    const { status, document } = answer
    if (!('resource' in document) && !('authorization_servers' in document)) {
      // Some servers answer every path with JSON of their own.
      report({ ...step, status, verdict: 'absent' })
      continue
    }
    const metadata = parseProtectedResourceMetadata(document)
    if (metadata === null) {
      report({ ...step, status, verdict: 'invalid' })
      throw invalid(url, 'broken', 'The metadata that the server publishes about itself is broken.')
    }
    if (!isResourceOf(metadata.resource, mcpUrl)) {
      report({ ...step, status, verdict: 'resource_mismatch' })
      throw invalid(url, 'resource', 'The metadata that the server publishes is for another server than the one asked.')
    }
    report({ ...step, status, verdict: 'used' })
    return metadata
  }
  return null
}

function candidates(mcpUrl: URL, challenge: Challenge | null): { url: URL; source: DiscoveryStep['source'] }[] {
  const pointed = challenge?.resourceMetadata === undefined ? null : parseUpstreamUrl(challenge.resourceMetadata)
  const wellKnown = protectedResourceMetadataUrls(mcpUrl).filter((url) => url.href !== pointed?.href)
  return [
    ...(pointed === null ? [] : [{ url: pointed, source: 'challenge' as const }]),
    ...wellKnown.map((url) => ({
      url,
      source: url.pathname.endsWith('/oauth-protected-resource') ? ('root' as const) : ('path' as const),
    })),
  ]
}

function invalid(url: URL, reason: string, publicDetail: string): AppError {
  return new AppError('authorization_server_invalid', 'protected resource metadata refused', {
    publicDetail,
    meta: { url: url.href, reason },
  })
}
