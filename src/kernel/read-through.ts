export type ReadThrough<Value> = {
  /**
   * The value that was read for `key` before, at once; or the answer of `read`, which those who ask at the same time share.
   * What `read` throws is not kept.
   */
  get(key: string, read: () => Promise<Value>): Value | Promise<Value>
  /** Drops what bears the tag, and what is just being read. */
  forget(tag: string): void
  /** Drops everything. */
  clear(): void
}

type Options<Value> = {
  readonly maxEntries: number
  readonly maxAgeMs: number
  /** Milliseconds, of any origin. */
  readonly now: () => number
  /** False: every call reads. */
  readonly isOpen: () => boolean
  /** By what changes a value is affected; null: it is not to be kept. */
  readonly tagsOf: (value: Value) => readonly string[] | null
}

/** A value in use is read anew when it has this share of its age. */
const renewedAtShare = 0.6

type Entry<Value> = { readonly value: Value; readonly tags: readonly string[]; readonly readAt: number }

/**
 * A bounded memory for values whose changes are announced. A value that was read before a change and arrives after it is
 * handed on to those who wait for it, as if it had arrived before, but not kept. A value that is in use is renewed before it
 * is too old.
 */
export function createReadThrough<Value>(options: Options<Value>): ReadThrough<Value> {
  const { maxEntries, maxAgeMs, now, isOpen, tagsOf } = options
  const entries = new Map<string, Entry<Value>>()
  const keysByTag = new Map<string, Set<string>>()
  const running = new Map<string, Promise<Value>>()
  let generation = 0

  function drop(key: string): void {
    const entry = entries.get(key)
    if (entry === undefined) return
    entries.delete(key)
    for (const tag of entry.tags) {
      const keys = keysByTag.get(tag)
      keys?.delete(key)
      if (keys?.size === 0) keysByTag.delete(tag)
    }
  }

  function keep(key: string, value: Value): void {
    drop(key)
    const tags = tagsOf(value)
    if (tags === null) return
    dropOldest()
    entries.set(key, { value, tags, readAt: now() })
    for (const tag of tags) {
      const keys = keysByTag.get(tag)
      if (keys === undefined) keysByTag.set(tag, new Set([key]))
      else keys.add(key)
    }
  }

  /** What is too old, and one more where there is no room. */
  function dropOldest(): void {
    for (const [key, { readAt }] of entries) {
      if (entries.size < maxEntries && now() - readAt < maxAgeMs) return
      drop(key)
    }
  }

  function readAnew(key: string, read: () => Promise<Value>): Promise<Value> {
    const startedIn = generation
    const reading = read()
      .then((value) => {
        if (startedIn === generation && isOpen()) keep(key, value)
        return value
      })
      .finally(() => {
        if (running.get(key) === reading) running.delete(key)
      })
    running.set(key, reading)
    return reading
  }

  function startAnew(): void {
    generation += 1
    // who asks from now on must not be given what was read before
    running.clear()
  }

  return {
    get(key, read) {
      if (!isOpen()) return read()
      const entry = entries.get(key)
      if (entry !== undefined) {
        const age = now() - entry.readAt
        if (age < maxAgeMs) {
          // read anew by the way, so that nobody has to wait for it; what fails is tried, and told, by who comes next
          if (age > renewedAtShare * maxAgeMs && !running.has(key)) readAnew(key, read).catch(() => drop(key))
          return entry.value
        }
        drop(key)
      }
      return running.get(key) ?? readAnew(key, read)
    },
    forget(tag) {
      startAnew()
      for (const key of [...(keysByTag.get(tag) ?? [])]) drop(key)
    },
    clear() {
      startAnew()
      entries.clear()
      keysByTag.clear()
    },
  }
}
