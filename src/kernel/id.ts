import { v7, validate } from 'uuid'

/** A new UUIDv7 (RFC 9562 section 5.7): unguessable enough for an id, and sorted by time. Never a secret. */
export function newId(): string {
  return v7()
}

/** True for a UUID in its canonical 36-character form, of any version, in lower case. */
export function isId(value: string): boolean {
  return value === value.toLowerCase() && validate(value)
}
