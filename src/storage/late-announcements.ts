import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'

export type LateAnnouncements = {
  /** Announces that a connection holds a newer credential of the same grant, within `gatherMs`. To be called after its commit. */
  renewed(connection: { readonly connectorId: string; readonly id: string }): void
  /** Waits until everything is announced. */
  close(): Promise<void>
}

/** How long renewals are gathered, milliseconds: memories of other processes are out of date meanwhile, and end by a 401 at worst. */
const gatherMs = 20
const retryMs = 1000
/** Payloads as the triggers of prisma/migrations write them. */
const announce = {
  name: 'announce-renewals',
  text: `SELECT pg_notify('patchbay_changes', payload) FROM unnest($1::text[]) AS payload`,
}

/**
 * Announces renewals, many in one transaction. Where the process dies between a commit and its announcement, nobody is told:
 * the former token serves until it is refused or a minute has passed (docs/adr/0010).
 */
export function createLateAnnouncements(pool: pg.Pool): LateAnnouncements {
  const waiting = new Set<string>()
  let isClosing = false
  let announcing: Promise<void> | undefined

  async function announceAll(): Promise<void> {
    // whoever is alone is told of at once
    for (let pauseMs = 0; waiting.size > 0; pauseMs = gatherMs) {
      if (pauseMs > 0) await delay(pauseMs)
      const payloads = [...waiting]
      waiting.clear()
      try {
        await pool.query({ ...announce, values: [payloads] })
      } catch {
        // who listens has lost its line as well, most likely, and forgets everything; if not, it is told later
        if (isClosing) return
        for (const payload of payloads) waiting.add(payload)
        await delay(retryMs)
      }
    }
  }

  function begin(): void {
    announcing ??= announceAll().finally(() => {
      announcing = undefined
      if (waiting.size > 0 && !isClosing) begin()
    })
  }

  return {
    renewed({ connectorId, id }) {
      waiting.add(`connection:${connectorId}:${id}`)
      begin()
    },
    async close() {
      isClosing = true
      await announcing
    },
  }
}
