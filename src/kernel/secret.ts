import { createHash, hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { inspect } from 'node:util'

const redacted = '[redacted]'

/** A value that must not be printed: JSON, `inspect`, templates and string concatenation all show `[redacted]`. */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The plaintext. Call it where the value leaves for its one destination, and nowhere else. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return redacted
  }

  toJSON(): string {
    return redacted
  }

  [inspect.custom](): string {
    return redacted
  }
}

/** 256 bits from the system's generator, base64url without padding (43 characters). */
export function randomToken(): string {
  return randomBytes(32).toString('base64url')
}

/** SHA-256 of a high-entropy value as base64url: what is stored and looked up instead of the value itself. */
export function hashToken(value: string): string {
  return hash('sha256', value, 'base64url')
}

/** Compares two strings in a time that depends on neither. */
export function isSameSecret(a: string, b: string): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest())
}
