import type { Principal } from '../kernel/principal.ts'

/** Who calls, and by which credential. */
export type Caller = {
  readonly principal: Principal
  /** The API key, or what a host was granted; null for a token of the organisation's. */
  readonly credentialId: string | null
  /** When the credential ends by itself; null: it does not. */
  readonly expiresAt: Date | null
  /** The host that holds the credential, by the name it registered under; left out where the credential does not say. */
  readonly client?: string
}

/**
 * Tells whose credential that is.
 *
 * @throws AppError `unauthenticated`
 */
export type VerifyCaller = (credential: string) => Promise<Caller>
