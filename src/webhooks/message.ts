import type { Event } from '../audit/event.ts'
import type { ConnectionScope } from '../connections/connection.ts'
import type { Connector } from '../connectors/connector.ts'
import type { Delivery } from './delivery.ts'

/** What a message is made of: the event, and what is known of its connector and connection when it is sent. */
export type MessageSource = {
  readonly event: Event
  /** Of what caused it. */
  readonly traceparent?: string | null
  /** Null when it was deleted since. */
  readonly connector: Pick<Connector, 'label' | 'presetId' | 'metadata' | 'credentialScope'> | null
  readonly connection: { readonly scope: ConnectionScope; readonly subjectId: string } | null
}

/**
 * The body of a message: `{type, timestamp, data}` (Standard Webhooks, "Payload structure"), thin: who wants more asks the
 * API. The connector's URL is not in it, since many servers are addressed by a URL with a key in it.
 */
export function writeMessage({ event, connector, connection }: MessageSource): string {
  return JSON.stringify({
    type: event.type,
    timestamp: event.at.toISOString(),
    data: {
      connector: {
        id: event.connectorId,
        ...(connector === null
          ? {}
          : {
              label: connector.label,
              metadata: connector.metadata,
              preset_id: connector.presetId,
              credential_scope: connector.credentialScope,
            }),
      },
      connection:
        event.connectionId === null
          ? null
          : {
              id: event.connectionId,
              ...(connection === null ? {} : { scope: connection.scope, subject: connection.subjectId }),
            },
      code: event.code,
      detail: event.detail,
      actor_id: event.actorId,
    },
  })
}

/** The body of a message that only shows that messages arrive. */
export function writeTestMessage({ type, createdAt, webhookId }: Delivery): string {
  return JSON.stringify({ type, timestamp: createdAt.toISOString(), data: { webhook: { id: webhookId } } })
}
