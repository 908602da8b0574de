import type { ErrorCode } from '../kernel/app-error.ts'
import { protectedResourceMetadataUrls } from '../upstream/protected-resource-metadata.ts'
import type { Facts, Finding } from './report.ts'

type Advice = { readonly problem: string; readonly fix: string }

const say = (problem: string, fix: string): Advice => ({ problem, fix })

const later = 'Try again later; when it stays, tell those who run the server.'

/** Why connect would refuse, by its code. What has no row of its own says so in general words. */
const refusals: Partial<Record<ErrorCode, (facts: Facts) => Advice>> = {
  upstream_unreachable: ({ probe }) =>
    probe.outcome === 'blocked'
      ? say(
          'Our egress guard refuses the address that this host name leads to.',
          'If this installation is meant to reach it, list it in EGRESS_ALLOW.',
        )
      : say(
          'The server could not be reached.',
          'Check the host name and the port, and that the server runs and is reachable from this installation.',
        ),
  upstream_timeout: ({ probe }) =>
    probe.outcome === 'timeout'
      ? say('The server did not answer in time.', later)
      : say('The documents that say where to authorize did not come in time.', later),
  upstream_error: ({ probe }) =>
    say(
      `The server answers with HTTP status ${probe.status ?? 'unknown'}.`,
      isClientError(probe.status)
        ? 'Check the path of the URL: many servers listen at /mcp.'
        : 'Try again later; the fault is on the side of the server.',
    ),
  upstream_protocol_error: () =>
    say(
      'Something answers at this URL, but not as an MCP server.',
      'Check the path of the URL: many servers listen at /mcp. A page for people is not the MCP endpoint.',
    ),
  authorization_server_not_found: notFound,
  authorization_server_invalid: invalid,
  authorization_server_changed: () =>
    say(
      'The server names another authorization server than its preset, so the credentials of the preset would not be sent.',
      "Find out from the vendor whether the change is real; an operator then changes the preset's issuer.",
    ),
  pkce_unsupported: () =>
    say(
      'The metadata of the authorization server does not offer PKCE with S256, which MCP requires.',
      'The authorization server must list "S256" in code_challenge_methods_supported (and honour it). An operator who knows that it does can say so in a preset (quirks.pkce_unlisted).',
    ),
  client_id_required: () =>
    say(
      'The authorization server registers no clients, and there is none for it.',
      'Register an app with the vendor and give the connector its client_id (and client_secret).',
    ),
}

function notFound({ url, documents, authorizationServer }: Facts): Advice {
  if (documents.some(({ verdict }) => verdict === 'blocked')) {
    return say(
      'Our egress guard refuses an address that the server names for its authorization.',
      'If this installation is meant to reach it, list it in EGRESS_ALLOW.',
    )
  }
  if (documents.some(({ verdict }) => verdict === 'unavailable' || verdict === 'timeout')) {
    return say('A document that says where to authorize could not be read.', later)
  }
  const hasResource = documents.some((it) => it.document === 'protected_resource_metadata' && it.verdict === 'used')
  if (hasResource) {
    return say(
      'The server names its authorization server, but there is no metadata of that one.',
      'The authorization server must publish its metadata at one of the addresses above (RFC 8414 section 3).',
    )
  }
  const [place] = protectedResourceMetadataUrls(new URL(url))
  return say(
    authorizationServer === null
      ? 'The server asks for authorization, but publishes nothing that says where to get it.'
      : 'The server asks for authorization, publishes nothing that says where to get it, and has none of the default endpoints of MCP 2025-03-26.',
    `The server must publish its metadata at ${place?.href ?? 'its well-known address'} (RFC 9728). If it takes a fixed token, connect with access_token.`,
  )
}

function invalid({ url, documents, checks }: Facts): Advice {
  if (checks.resource === 'failed') {
    return say(
      'The metadata that the server publishes about itself is for another resource.',
      `Its "resource" must be ${url}, or a path above it on the same origin (RFC 9728 section 3.3).`,
    )
  }
  if (checks.issuer === 'failed') {
    return say(
      'The metadata of the authorization server names another issuer than the one that was asked for.',
      'Its "issuer" must be, character by character, what the MCP server lists in authorization_servers (RFC 8414 section 3.3). A trailing slash counts.',
    )
  }
  const isResource = documents.some((it) => it.document === 'protected_resource_metadata' && it.verdict === 'invalid')
  return isResource
    ? say(
        'The metadata that the server publishes about itself is broken.',
        'It must hold "resource" as text and "authorization_servers" as a list of URLs (RFC 9728 section 2).',
      )
    : say(
        'The metadata of the authorization server is broken, or names addresses that must not be used.',
        'It needs "issuer", and https URLs as "authorization_endpoint" and "token_endpoint" (RFC 8414 section 2).',
      )
}

/** Why connect would refuse, and what to do about it; null when it would not. */
export function explainRefusal(facts: Facts): Finding | null {
  const { verdict } = facts
  if (verdict === 'connected' || verdict === 'auth_required') return null
  const advice = refusals[verdict]?.(facts) ?? say('Connecting would not work.', later)
  return { severity: 'error', code: verdict, ...advice }
}

function isClientError(status: number | null): boolean {
  return status !== null && status >= 400 && status < 500
}
