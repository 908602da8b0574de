import type { ClientMetadata } from './client-metadata.ts'

export type RegisteredClient = {
  readonly clientId: string
  readonly metadata: ClientMetadata
  readonly secretHash: string | null
  /** Of the token with which it manages its registration (RFC 7592); null where it may not. */
  readonly registrationTokenHash: string | null
  /** By an operator: it lasts until it is deleted, and needs nobody's trust. */
  readonly isPreMade: boolean
  readonly createdAt: Date
  readonly expiresAt: Date
}

/** Where hosts are kept that registered themselves, or that an operator made known. */
export type OauthClientStore = {
  add(client: RegisteredClient): Promise<void>
  find(clientId: string): Promise<RegisteredClient | null>
  /** Puts its metadata and its secret in place of what was there; nothing happens for one that is gone. */
  change(client: Pick<RegisteredClient, 'clientId' | 'metadata' | 'secretHash'>): Promise<void>
  /** Deletes it and ends its grants, both or neither. False when it was gone already. */
  remove(clientId: string, now: Date): Promise<boolean>
  /** Those that an operator made, oldest first. */
  listPreMade(): Promise<readonly RegisteredClient[]>
  /** Lets a client live until then, at least; nothing happens for one that is not kept here. */
  keepUntil(clientId: string, expiresAt: Date): Promise<void>
  /** Deletes some of those that lapsed and on which no living grant hangs. */
  sweep(now: Date, limit: number): Promise<void>
}

/** The last good copies of client metadata documents. */
export type ClientDocumentStore = {
  find(url: string): Promise<{ readonly document: object; readonly fetchedAt: Date } | null>
  keep(url: string, document: object, fetchedAt: Date): Promise<void>
}

export const artifactKinds = ['AuthorizationCode', 'RefreshToken', 'Interaction', 'ReplayDetection'] as const
export type ArtifactKind = (typeof artifactKinds)[number]

/** A code, a refresh token, an open request: found by hash, its content sealed. */
export type Artifact = {
  readonly keyHash: string
  readonly kind: ArtifactKind
  readonly grantId: string | null
  readonly sealedPayload: string
  readonly expiresAt: Date | null
}

export type StoredArtifact = Artifact & {
  readonly consumedAt: Date | null
  readonly successorHash: string | null
  /** The answer that the successor came with, readable with the consumed token only. */
  readonly successorAnswer: string | null
}

export type Rotation = {
  readonly predecessorHash: string
  readonly successor: Artifact
  readonly successorAnswer: string
}

/** What our authorization server remembers. */
export type ArtifactStore = {
  put(artifact: Artifact): Promise<void>
  find(keyHash: string): Promise<StoredArtifact | null>
  /** Uses it up, in one statement. False when somebody else did. */
  consume(keyHash: string, now: Date): Promise<boolean>
  /** Uses a refresh token up and stores its successor, both or neither. False when it was used already. */
  rotate(rotation: Rotation, now: Date): Promise<boolean>
  /** False when it was gone already. */
  destroy(keyHash: string): Promise<boolean>
  destroyOfGrant(kind: ArtifactKind, grantId: string): Promise<void>
  /** Deletes some of those that are over. */
  sweep(now: Date, limit: number): Promise<void>
}

/** Counts attempts in fixed windows of time, over all processes. */
export type RateCounter = {
  /** @returns how often this was tried in the current window, this time included */
  hit(key: string, windowMs: number, now: Date): Promise<number>
  /** @returns how often it was tried in the current window */
  peek(key: string, windowMs: number, now: Date): Promise<number>
}
