import type { z } from 'zod'
import type { ApiKey } from '../access/store.ts'
import type { AuditEntry } from '../audit/audit-entry.ts'
import type { Event } from '../audit/event.ts'
import type { ListedGrant } from '../authorization-server/grant.ts'
import { oauthPaths } from '../authorization-server/paths.ts'
import type { RegisteredClient } from '../authorization-server/store.ts'
import { isRenewable } from '../connections/connection.ts'
import type { ConnectorView } from '../connections/view-connectors.ts'
import type { Diagnosis } from '../doctor/report.ts'
import type { Secret } from '../kernel/secret.ts'
import type { Preset } from '../presets/preset.ts'
import type { Delivery } from '../webhooks/delivery.ts'
import { disabledReasons, type Webhook } from '../webhooks/webhook.ts'
import type { apiKeySchema } from './api-key-schemas.ts'
import type { auditEntrySchema } from './audit-schemas.ts'
import { representAuth } from './connector-auth.ts'
import type { diagnosisSchema } from './doctor-schemas.ts'
import type { grantSchema } from './host-schemas.ts'
import type { connectorSchema, eventSchema, presetSchema } from './schemas.ts'
import type { deliverySchema, webhookSchema } from './webhook-schemas.ts'

const timeOrNull = (date: Date | null | undefined) => date?.toISOString() ?? null

/** A connector as REST shows it to the principal of the view. */
export function representConnector(view: ConnectorView, publicUrl: URL): z.input<typeof connectorSchema> {
  const { connector, connection, preset } = view
  return {
    id: connector.id,
    url: connector.url,
    mcp_url: new URL(`/connectors/${connector.id}/mcp`, publicUrl).href,
    transport: connector.transport,
    state: connection?.state ?? 'created',
    auth_request: view.connectUrl === null ? null : { type: 'code', authorization_endpoint: view.connectUrl },
    disconnect_reason: connection?.disconnectReason ?? null,
    disconnect_code: connection?.disconnectCode ?? null,
    metadata: connector.metadata ?? preset?.metadata ?? null,
    preset_id: connector.presetId,
    enabled: connector.enabled,
    label: connector.label,
    credential_scope: connector.credentialScope,
    auth: representAuth(connector, view.isManageable),
    ...(view.isManageable
      ? { client_id: connector.clientId, has_client_secret: connector.sealedClientSecret !== null }
      : {}),
    scopes: [...(connection?.scopes ?? [])],
    pkce_unverified: connection?.isPkceUnverified ?? false,
    token_expires_at: timeOrNull(connection?.accessExpiresAt),
    next_refresh_at: connection == null || !isRenewable(connection) ? null : timeOrNull(connection.nextRefreshAt),
    reauth_by: timeOrNull(connection?.reauthBy),
    last_error: connection?.lastError ?? null,
    created_at: connector.createdAt.toISOString(),
    updated_at: new Date(Math.max(connector.updatedAt.getTime(), connection?.updatedAt.getTime() ?? 0)).toISOString(),
    created_by: connector.createdByPrincipalId,
  }
}

export function representEvent(event: Event): z.input<typeof eventSchema> {
  return {
    id: event.id,
    type: event.type,
    code: event.code,
    class: event.class,
    detail: event.detail,
    connector_id: event.connectorId,
    connection_id: event.connectionId,
    actor_id: event.actorId,
    at: event.at.toISOString(),
  }
}

export function representAuditEntry(entry: AuditEntry): z.input<typeof auditEntrySchema> {
  const { id, channel, actor, address, action, targetType, targetId, fields, code } = entry
  return {
    id,
    at: entry.at.toISOString(),
    ended_at: timeOrNull(entry.endedAt),
    channel,
    actor: {
      id: actor.id,
      kind: actor.kind,
      subject: actor.subject,
      api_key_id: actor.credentialId,
      api_key_label: actor.credentialLabel,
    },
    address,
    request_id: entry.requestId,
    action,
    target: targetType === null || targetId === null ? null : { type: targetType, id: targetId },
    fields: [...fields],
    outcome: entry.outcome ?? 'unfinished',
    code,
  }
}

export function representPreset(preset: Preset): z.input<typeof presetSchema> {
  const { id, url, metadata, auth, verified } = preset
  return { id, url: url.href, metadata, auth_hint: auth?.type ?? null, verified }
}

export function representApiKey(key: ApiKey): z.input<typeof apiKeySchema> {
  const { id, label, kind, subject, role, scopes, hint } = key
  return {
    ...{ id, label, kind, subject, role, scopes: [...scopes], hint },
    expires_at: timeOrNull(key.expiresAt),
    revoked_at: timeOrNull(key.revokedAt),
    last_used_at: timeOrNull(key.lastUsedAt),
    created_at: key.createdAt.toISOString(),
  }
}

export function representWebhook(webhook: Webhook): z.input<typeof webhookSchema> {
  const { disabledCode } = webhook
  return {
    id: webhook.id,
    url: webhook.url,
    event_types: [...webhook.eventTypes],
    description: webhook.description,
    enabled: webhook.enabled,
    disabled_code: disabledCode,
    disabled_reason: disabledCode === null ? null : disabledReasons[disabledCode],
    failing_since: timeOrNull(webhook.failingSince),
    previous_secret_expires_at: timeOrNull(webhook.previousSecretExpiresAt),
    created_at: webhook.createdAt.toISOString(),
    updated_at: webhook.updatedAt.toISOString(),
    created_by: webhook.createdByPrincipalId,
  }
}

export function representDelivery(delivery: Delivery): z.input<typeof deliverySchema> {
  return {
    id: delivery.eventId,
    type: delivery.type,
    status: delivery.status,
    attempts: delivery.attempts,
    next_attempt_at: timeOrNull(delivery.nextAttemptAt),
    last_attempt_at: timeOrNull(delivery.lastAttemptAt),
    duration_ms: delivery.durationMs,
    response_status: delivery.responseStatus,
    error: delivery.error,
    created_at: delivery.createdAt.toISOString(),
  }
}

export function representGrant({ grant, connector, principal }: ListedGrant): z.input<typeof grantSchema> {
  return {
    id: grant.id,
    connector_id: grant.connectorId,
    connector_url: connector.url,
    subject: principal.subject,
    kind: principal.kind,
    client_id: grant.clientId,
    client_name: grant.clientName,
    scope: grant.scope,
    created_at: grant.createdAt.toISOString(),
    last_used_at: timeOrNull(grant.lastUsedAt),
    expires_at: grant.expiresAt.toISOString(),
  }
}

/** The token of the page after the one that ends with this id. */
function pageTokenAfter(id: string): string {
  return Buffer.from(id).toString('base64url')
}

/** The envelope of every list. */
export function representList<Item extends { id: string }>(items: Item[], totalCount: number, hasMore: boolean) {
  const last = items.at(-1)
  return {
    items,
    total_count: totalCount,
    has_more: hasMore,
    next_page_token: hasMore && last !== undefined ? pageTokenAfter(last.id) : null,
  }
}

/** A diagnosis, as REST and `patchbay doctor --json` show it. */
export function representDiagnosis(diagnosis: Diagnosis): z.input<typeof diagnosisSchema> {
  const { probe, authorizationServer: server, scopes } = diagnosis
  return {
    url: diagnosis.url,
    preset_id: diagnosis.presetId,
    verdict: diagnosis.verdict,
    probe: {
      outcome: probe.outcome,
      status: probe.status,
      protocol_version: probe.protocolVersion,
      challenge:
        probe.challenge === null
          ? null
          : {
              resource_metadata: probe.challenge.resourceMetadata,
              scopes: [...probe.challenge.scopes],
              error: probe.challenge.error,
            },
    },
    documents: diagnosis.documents.map(({ status, ...step }) => ({ ...step, status: status ?? null })),
    checks: { ...diagnosis.checks },
    authorization_server:
      server === null
        ? null
        : {
            issuer: server.issuer,
            authorization_endpoint: server.authorizationEndpoint,
            token_endpoint: server.tokenEndpoint,
            registration_endpoint: server.registrationEndpoint,
            revocation_endpoint: server.revocationEndpoint,
            token_endpoint_auth_methods: [...server.tokenEndpointAuthMethods],
            iss_parameter_supported: server.isIssParameterSupported,
            client_id_metadata_document_supported: server.isClientIdMetadataDocumentSupported,
            legacy_fallback: server.isLegacyFallback,
          },
    resource: diagnosis.resource,
    clients: diagnosis.clients.map(({ kind, isAvailable, isUsed }) => ({ kind, available: isAvailable, used: isUsed })),
    scopes: scopes === null ? null : { values: [...scopes.values], source: scopes.source },
    findings: diagnosis.findings.map((finding) => ({ ...finding })),
  }
}

type RegistrationView = {
  readonly client: RegisteredClient
  /** Where it is new. */
  readonly secret: Secret | null
  /** The one that the host has, or gets now. */
  readonly registrationToken: Secret
  readonly publicUrl: URL
}

/**
 * A registration, as its client sees it (RFC 7591 section 3.2.1, RFC 7592 section 3). What is absent is left out: some hosts
 * refuse null.
 */
export function representRegistration(view: RegistrationView): object {
  const { client, secret, registrationToken, publicUrl } = view
  return {
    client_id: client.clientId,
    client_id_issued_at: Math.floor(client.createdAt.getTime() / 1000),
    ...(secret === null ? {} : { client_secret: secret.reveal(), client_secret_expires_at: 0 }),
    registration_client_uri: `${publicUrl.origin}${oauthPaths.registration}/${client.clientId}`,
    registration_access_token: registrationToken.reveal(),
    ...client.metadata,
  }
}
