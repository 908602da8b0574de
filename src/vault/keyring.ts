/** The keys that seal secrets. The active one seals; all of them open. */
export type Keyring = {
  readonly activeKid: string
  readonly keys: ReadonlyMap<string, Buffer>
}

const keyBytes = 32

/**
 * Reads `kid:base64,kid:base64,...`; the first is the active key.
 *
 * @throws Error naming the entry that is wrong, never its value
 */
export function parseKeyring(text: string): Keyring {
  const keys = new Map<string, Buffer>()
  for (const [index, entry] of text.split(',').entries()) {
    const separator = entry.indexOf(':')
    const kid = entry.slice(0, Math.max(separator, 0)).trim()
    const key = Buffer.from(entry.slice(separator + 1).trim(), 'base64')
    if (!/^[A-Za-z0-9_-]{1,32}$/.test(kid)) {
      throw new Error(`ENCRYPTION_KEYS: entry ${index + 1} needs the form kid:base64 (kid: letters, digits, - and _)`)
    }
    if (key.length !== keyBytes) throw new Error(`ENCRYPTION_KEYS: key "${kid}" must be ${keyBytes} bytes in base64`)
    if (keys.has(kid)) throw new Error(`ENCRYPTION_KEYS: key "${kid}" is listed twice`)
    keys.set(kid, key)
  }
  const [activeKid] = keys.keys()
  if (activeKid === undefined) throw new Error('ENCRYPTION_KEYS: no key')
  return { activeKid, keys }
}
