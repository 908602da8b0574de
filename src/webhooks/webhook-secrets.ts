import { randomBytes } from 'node:crypto'
import { Secret } from '../kernel/secret.ts'
import type { SealedPlace, Vault } from '../vault/vault.ts'
import { secretPrefix } from './sign-message.ts'
import type { Webhook } from './webhook.ts'

const secretBytes = 32

type Row = Pick<Webhook, 'id' | 'tenantId'>

const place = (column: 'sealed_secret' | 'sealed_previous_secret', { id, tenantId }: Row): SealedPlace => ({
  table: 'webhooks',
  column,
  rowId: id,
  tenantId,
})

/** A new signing secret: `whsec_` and 256 random bits in base64. */
export function newSigningSecret(): Secret {
  return new Secret(secretPrefix + randomBytes(secretBytes).toString('base64'))
}

export function sealSigningSecret(vault: Vault, row: Row, secret: Secret): string {
  return vault.seal(secret, place('sealed_secret', row))
}

/** The current secret, sealed for the place of the one before. */
export function sealAsPrevious(vault: Vault, webhook: Webhook): string {
  const current = vault.open(webhook.sealedSecret, place('sealed_secret', webhook))
  return vault.seal(current, place('sealed_previous_secret', webhook))
}

/** The secrets that sign at `now`: the current one, and the one before for as long as it overlaps. */
export function openSigningSecrets(vault: Vault, webhook: Webhook, now: Date): Secret[] {
  const { sealedSecret, sealedPreviousSecret, previousSecretExpiresAt } = webhook
  const secrets = [vault.open(sealedSecret, place('sealed_secret', webhook))]
  if (sealedPreviousSecret !== null && previousSecretExpiresAt !== null && previousSecretExpiresAt > now) {
    secrets.push(vault.open(sealedPreviousSecret, place('sealed_previous_secret', webhook)))
  }
  return secrets
}
