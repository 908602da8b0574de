import type { Connector } from '../client/client.ts'
import { columns, printable } from './columns.ts'

/** Connectors as a table. */
export function renderConnectors(connectors: readonly Connector[]): string {
  const rows = connectors.map(({ id, state, metadata, label, url }) => [id, state, metadata?.name ?? label, url])
  return columns([['id', 'state', 'name', 'url'], ...rows])
}

/** One connector, line by line: what it is, how it is, and what to do about it. */
export function renderConnector(connector: Connector): string {
  const { id, url, mcp_url, state, metadata, label, disconnect_reason, auth_request, last_error } = connector
  const lines: [string, string | null | undefined][] = [
    ['id', id],
    ['name', metadata?.name],
    ['label', label === '' ? null : label],
    ['server', url],
    ['state', connector.enabled ? state : `${state}, switched off`],
    ['why', disconnect_reason],
    ['last error', last_error === null ? null : `${last_error.code}, ${last_error.at}`],
    ['token until', connector.token_expires_at],
    ['next refresh', connector.next_refresh_at],
    ['connect again by', connector.reauth_by],
    ['for MCP clients', mcp_url],
    ['open to connect', auth_request?.authorization_endpoint],
  ]
  return columns(lines.flatMap(([name, value]) => (value == null ? [] : [[name, value]])))
}

/** What a person does next with a connector that does not work; null when it does. */
export function nextStep({ id, state, enabled }: Connector): string | null {
  if (!enabled) return 'An administrator has switched it off.'
  return state === 'connected' ? null : `Next: patchbay connect ${id}`
}

/** Why a connector does not work, in a few words. */
export function describeTrouble({ state, disconnect_reason, last_error }: Connector): string {
  if (state === 'disconnected') return printable(disconnect_reason ?? 'disconnected')
  if (last_error !== null) return `${state}, last error ${last_error.code}`
  return state === 'created' ? 'was never connected' : 'somebody has to authorize it'
}
