import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { Change, ChangeSubscriber, Changes } from '../kernel/changes.ts'
import { newId } from '../kernel/id.ts'
import type { Secret } from '../kernel/secret.ts'

/** Named in prisma/migrations, function `announce_change`. */
const channel = 'patchbay_changes'

type Options = {
  /** Straight to PostgreSQL: through a pooler in transaction mode nothing is heard, and so nothing remembered. */
  readonly url: Secret
  readonly log: { warn(facts: object, message: string): void; info(message: string): void }
  /** How often the line is tried, and how long what it says may take (default 2000). */
  readonly heartbeatMs?: number
  /** Between attempts to get a lost line back (default 250). */
  readonly retryMs?: number
}

/**
 * Hears what PostgreSQL announces (`LISTEN`), on a connection of its own that is opened with the first subscriber and
 * reopened for as long as there is one. The line is tried by announcing something to itself: one that does not hear it within
 * a heartbeat counts as lost, also where statements are still answered, as through a pooler.
 */
export function createNotifications({ url, log, heartbeatMs = 2000, retryMs = 250 }: Options): Changes {
  const subscribers = new Set<ChangeSubscriber>()
  const closing = new AbortController()
  let isLive = false
  let listening: Promise<void> | undefined

  /** Holds one line until it breaks. */
  async function listenOnce(): Promise<void> {
    const client = new pg.Client({
      connectionString: url.reveal(),
      connectionTimeoutMillis: 5000,
      query_timeout: heartbeatMs,
      keepAlive: true,
      application_name: 'patchbay-listen',
    })
    const line = new AbortController()
    const hangUp = () => line.abort()
    client.on('error', hangUp)
    client.on('end', hangUp)
    closing.signal.addEventListener('abort', hangUp)
    const own = `${channel}_${newId().replaceAll('-', '')}`
    let heardOwn = () => {}
    client.on('notification', ({ channel: where, payload = '' }) => {
      if (where === own) return heardOwn()
      const change = readChange(payload)
      for (const subscriber of subscribers) subscriber.onChange(change)
    })
    const tryLine = async (): Promise<void> => {
      let isHeard = false
      const hearing = new Promise<void>((resolve) => {
        heardOwn = () => {
          isHeard = true
          resolve()
        }
      })
      await client.query(`NOTIFY ${own}`)
      await Promise.race([hearing, delay(heartbeatMs, undefined, { signal: line.signal, ref: false }).catch(() => {})])
      if (!isHeard) throw new Error('announced changes do not arrive; DATABASE_URL must lead to PostgreSQL itself')
    }
    try {
      await client.connect()
      await client.query(`LISTEN ${own}`)
      await client.query(`LISTEN ${channel}`)
      await tryLine()
      isLive = true
      for (const subscriber of subscribers) subscriber.onLive()
      while (!line.signal.aborted) {
        await delay(heartbeatMs, undefined, { signal: line.signal, ref: false }).catch(() => {})
        if (!line.signal.aborted) await tryLine()
      }
    } finally {
      closing.signal.removeEventListener('abort', hangUp)
      const wasLive = isLive
      isLive = false
      if (wasLive) for (const subscriber of subscribers) subscriber.onLost()
      // a peer that is gone answers no goodbye either
      await Promise.race([client.end().catch(() => {}), delay(1000, undefined, { ref: false })])
    }
  }

  async function keepListening(): Promise<void> {
    let isKnownLost = false
    while (!closing.signal.aborted) {
      try {
        await listenOnce()
      } catch (err) {
        if (!isKnownLost) log.warn({ err }, 'changes are not heard: PostgreSQL cannot be listened to')
        isKnownLost = true
      }
      await delay(retryMs, undefined, { signal: closing.signal, ref: false }).catch(() => {})
    }
  }

  return {
    subscribe(subscriber) {
      subscribers.add(subscriber)
      listening ??= keepListening()
      if (isLive) subscriber.onLive()
      return () => subscribers.delete(subscriber)
    },
    isLive: () => isLive,
    async close() {
      closing.abort()
      subscribers.clear()
      await listening
    },
  }
}

function readChange(payload: string): Change {
  const [kind = '', ...ids] = payload.split(':')
  return { kind, ids }
}
