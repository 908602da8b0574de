import { type ClientKind, listClientOptions } from '../connections/client-options.ts'
import { createFindServer } from '../connections/find-server.ts'
import type { AddressPolicy } from '../egress/address-policy.ts'
import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import { AppError, type ErrorCode, isAppError } from '../kernel/app-error.ts'
import { parseResourceUrl, type ResourceUrl } from '../kernel/resource-url.ts'
import type { Logger } from '../log/logger.ts'
import type { PresetCatalog } from '../presets/match-preset.ts'
import type { Preset } from '../presets/preset.ts'
import type { AuthorizationServer } from '../upstream/authorization-server.ts'
import type { Challenge } from '../upstream/challenge.ts'
import type { Discover } from '../upstream/discover.ts'
import type { DiscoveryStep } from '../upstream/discovery-step.ts'
import type { Probe, ProbeOutcome } from '../upstream/probe.ts'
import { listFindings } from './advice.ts'
import { checkLadder } from './check-ladder.ts'
import { isAnythingBlocked, withoutGuard } from './discretion.ts'
import type { Diagnosis, Facts, Verdict } from './report.ts'
import { reportProbe, reportResource, reportServer } from './upstream-words.ts'

export type DiagnoseRequest = {
  readonly url: string
  /** An OAuth client that the asker has at the server's authorization server. */
  readonly clientId?: string
  /** Whether to tell what our egress guard refused. To others a refused address looks like an unreachable one (SS-10). */
  readonly isGuardShown: boolean
}

export type Diagnose = (request: DiagnoseRequest) => Promise<Diagnosis>

export type DiagnoseDeps = {
  readonly probe: Probe
  readonly discover: Discover
  readonly fetch: GuardedFetch
  readonly presets: PresetCatalog
  readonly addressPolicy: AddressPolicy
  readonly clientMetadataUrl: string | null
  /** The issuer that a preset without `issuer` was pinned to, where one is known. */
  readonly findPinnedIssuer: (presetId: string) => Promise<string | null>
  readonly log: Logger
}

/**
 * Climbs the whole ladder from an MCP server's URL to the point where a person would be asked, as connect does, and
 * reports each rung. Stores nothing, registers nothing, sends no credential.
 *
 * @throws AppError `url_invalid`, `url_not_allowed`; whatever goes wrong on the ladder is in the report
 */
export function createDiagnose(deps: DiagnoseDeps): Diagnose {
  const { probe, presets, addressPolicy, log } = deps
  const findServer = createFindServer(deps)

  return async ({ url: raw, clientId, isGuardShown }) => {
    const url = parseResourceUrl(raw)
    addressPolicy.checkUrl(new URL(url.href))
    const preset = presets.match(url)
    const outcome = await probe({ url: new URL(url.href), headers: {} })
    const found =
      outcome.kind === 'unauthorized'
        ? await find(url, preset, outcome.challenge)
        : { documents: [], server: null, code: null }
    const { server } = found
    const clients = listClientOptions(
      {
        hasGivenClient: clientId !== undefined,
        hasPresetClient: preset?.clientId !== undefined,
        hasMetadataDocument: deps.clientMetadataUrl !== null,
      },
      server,
    )
    const used = clients.find(({ isUsed }) => isUsed)?.kind
    const facts: Facts = {
      url: url.href,
      presetId: preset?.id ?? null,
      verdict: found.code ?? (await judge(outcome, server, used, preset)),
      probe: reportProbe(outcome),
      documents: found.documents,
      checks: checkLadder(found.documents, server, found.code),
      authorizationServer: server === null ? null : reportServer(server),
      resource: server === null ? null : reportResource(server.resource),
      clients,
      scopes: server === null ? null : { values: server.scopes, source: sourceOf(server, preset) },
    }
    if (isAnythingBlocked(facts)) log.info({ diagnosis: facts }, 'the egress guard refused what the doctor asked for')
    const shown = isGuardShown ? facts : withoutGuard(facts)
    return { ...shown, findings: listFindings(shown) }
  }

  async function find(url: ResourceUrl, preset: Preset | undefined, challenge: Challenge | null) {
    const documents: DiscoveryStep[] = []
    try {
      const server = await findServer({ url, preset, challenge, onStep: (step) => documents.push(step) })
      return { documents, server, code: null }
    } catch (error) {
      if (!isAppError(error)) throw error
      return { documents, server: null, code: error.code }
    }
  }

  /** What connect would do with an authorization server that was found. */
  async function judge(
    outcome: ProbeOutcome,
    server: AuthorizationServer | null,
    used: ClientKind | undefined,
    preset: Preset | undefined,
  ): Promise<Verdict> {
    if (outcome.kind !== 'unauthorized') return verdicts[outcome.kind]
    if (server === null) throw new AppError('internal', 'discovery ended without a server and without a reason')
    if (used === 'none') return 'client_id_required'
    if (used === 'preset' && preset !== undefined) {
      const issuer = preset.issuer ?? (await deps.findPinnedIssuer(preset.id))
      return issuer === null || issuer === server.issuer ? 'auth_required' : 'authorization_server_changed'
    }
    const isGuess = used === 'registration' && server.isLegacyFallback
    return isGuess && !(await isThere(server.registrationEndpoint)) ? 'authorization_server_not_found' : 'auth_required'
  }

  /** OPTIONS changes nothing (RFC 9110 section 9.3.7), and tells a guessed endpoint from none. */
  async function isThere(endpoint: string | undefined): Promise<boolean> {
    if (endpoint === undefined) return false
    try {
      const { status } = await deps.fetch(endpoint, { method: 'OPTIONS' })
      return status !== 404 && status !== 410
    } catch (error) {
      if (isAppError(error)) return false
      throw error
    }
  }
}

const verdicts: Readonly<Record<Exclude<ProbeOutcome['kind'], 'unauthorized'>, 'connected' | ErrorCode>> = {
  ok: 'connected',
  http_error: 'upstream_error',
  not_mcp: 'upstream_protocol_error',
  timeout: 'upstream_timeout',
  unreachable: 'upstream_unreachable',
}

function sourceOf(server: AuthorizationServer, preset: Preset | undefined) {
  return preset?.scopes === undefined ? server.scopesSource : 'preset'
}
