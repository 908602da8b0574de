import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto'
import { AppError } from '../kernel/app-error.ts'
import { Secret } from '../kernel/secret.ts'
import type { Keyring } from './keyring.ts'

const version = 'v1'
const ivBytes = 12
const tagBytes = 16

/** Where a sealed value lives. It is authenticated, so a value moved to another row or column does not open. */
export type SealedPlace = {
  readonly table: string
  readonly column: string
  readonly rowId: string
  readonly tenantId: string
}

export type Vault = {
  /** Seals with the active key: `v1.<kid>.<iv>.<ciphertext>.<tag>`, AES-256-GCM with a random 96-bit IV. */
  seal(secret: Secret, place: SealedPlace): string
  /** @throws AppError `internal` when the key is unknown, or the value was altered or moved */
  open(sealed: string, place: SealedPlace): Secret
  /** A key for another purpose, derived from the active one (HKDF-SHA256, RFC 5869). 32 bytes. */
  deriveKeys(purpose: string): { readonly active: Buffer; readonly all: readonly Buffer[] }
}

/** The vault over a keyring. Source of the construction: NIST SP 800-38D. */
export function createVault(keyring: Keyring): Vault {
  const keyOf = (kid: string): Buffer => {
    const key = keyring.keys.get(kid)
    if (key === undefined)
      throw new AppError('internal', `sealed with key "${kid}", which ENCRYPTION_KEYS does not hold`)
    return key
  }
  const sealers = new Map<string, KeyObject>()
  /** Prepared once: a key that is given as bytes is prepared for each use. */
  const sealerOf = (kid: string): KeyObject => {
    const known = sealers.get(kid)
    if (known !== undefined) return known
    const sealer = createSecretKey(keyOf(kid))
    sealers.set(kid, sealer)
    return sealer
  }
  const associated = (place: SealedPlace): Buffer =>
    Buffer.from(JSON.stringify([version, place.table, place.column, place.rowId, place.tenantId]))

  return {
    seal(secret, place) {
      const iv = randomBytes(ivBytes)
      const cipher = createCipheriv('aes-256-gcm', sealerOf(keyring.activeKid), iv, { authTagLength: tagBytes })
      cipher.setAAD(associated(place))
      const ciphertext = Buffer.concat([cipher.update(secret.reveal(), 'utf8'), cipher.final()])
      const parts = [iv, ciphertext, cipher.getAuthTag()].map((part) => part.toString('base64url'))
      return [version, keyring.activeKid, ...parts].join('.')
    },

    open(sealed, place) {
      const [format, kid, iv, ciphertext, tag, ...rest] = sealed.split('.')
      if (
        format !== version ||
        kid === undefined ||
        iv === undefined ||
        ciphertext === undefined ||
        tag === undefined ||
        rest.length > 0
      ) {
        throw new AppError('internal', 'sealed value has an unknown format')
      }
      try {
        const decipher = createDecipheriv('aes-256-gcm', sealerOf(kid), Buffer.from(iv, 'base64url'), {
          authTagLength: tagBytes,
        })
        decipher.setAAD(associated(place))
        decipher.setAuthTag(Buffer.from(tag, 'base64url'))
        return new Secret(
          Buffer.concat([decipher.update(Buffer.from(ciphertext, 'base64url')), decipher.final()]).toString('utf8'),
        )
      } catch (cause) {
        if (cause instanceof AppError) throw cause
        throw new AppError('internal', 'sealed value does not open: altered, moved, or sealed with another key', {
          meta: { table: place.table, column: place.column, rowId: place.rowId, kid },
        })
      }
    },

    deriveKeys(purpose) {
      const derive = (key: Buffer) => Buffer.from(hkdfSync('sha256', key, '', `patchbay/${purpose}`, 32))
      return { active: derive(keyOf(keyring.activeKid)), all: [...keyring.keys.values()].map(derive) }
    },
  }
}
