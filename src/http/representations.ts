import type { z } from 'zod'
import type { Event } from '../audit/event.ts'
import type { ConnectorView } from '../connections/view-connectors.ts'
import type { Preset } from '../presets/preset.ts'
import type { connectorSchema, eventSchema, presetSchema } from './schemas.ts'

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
    auth: { type: connector.authType },
    ...(view.isManageable
      ? { client_id: connector.clientId, has_client_secret: connector.sealedClientSecret !== null }
      : {}),
    scopes: [...(connection?.scopes ?? [])],
    token_expires_at: timeOrNull(connection?.accessExpiresAt),
    next_refresh_at: connection?.sealedRefreshToken == null ? null : timeOrNull(connection.nextRefreshAt),
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
    detail: event.detail,
    connection_id: event.connectionId,
    actor_id: event.actorId,
    at: event.at.toISOString(),
  }
}

export function representPreset(preset: Preset): z.input<typeof presetSchema> {
  return { id: preset.id, url: preset.url.href, metadata: preset.metadata }
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
