import { createHmac } from 'node:crypto'
import type { Secret } from '../kernel/secret.ts'

export const secretPrefix = 'whsec_'

export type MessageHead = {
  /** Without a full stop, which separates what is signed. */
  readonly id: string
  /** Seconds since 1970. */
  readonly timestamp: number
}

/**
 * The headers of a message, with one signature for each secret: HMAC-SHA256 over id, timestamp and body.
 * Source: Standard Webhooks 1.0.0, "Signature scheme" and "Webhook headers".
 *
 * @param body exactly as it is sent
 * @param secrets `whsec_` and base64; several while one takes over from another
 */
export function signedHeaders(head: MessageHead, body: string, secrets: readonly Secret[]): Record<string, string> {
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.reveal().slice(secretPrefix.length), 'base64')
    const mac = createHmac('sha256', key).update(`${head.id}.${head.timestamp}.${body}`).digest('base64')
    return `v1,${mac}`
  })
  return {
    'webhook-id': head.id,
    'webhook-timestamp': String(head.timestamp),
    'webhook-signature': signatures.join(' '),
  }
}
