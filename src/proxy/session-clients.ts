const maxSessions = 10_000

export type SessionClients = ReturnType<typeof createSessionClients>

/**
 * Which client began which session, for what is counted: a client of the legacy era says its name once, in `initialize`. The
 * memory of one process: a session that was begun in another one has no name here.
 */
export function createSessionClients() {
  const names = new Map<string, string>()
  return {
    remember(sessionId: string, client: string): void {
      if (names.size >= maxSessions) names.delete(names.keys().next().value ?? '')
      names.set(sessionId, client)
    },

    /** Null when it is not known. */
    find(sessionId: string | null): string | null {
      return sessionId === null ? null : (names.get(sessionId) ?? null)
    },
  }
}
