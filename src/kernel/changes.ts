/** Something that another process, or this one, has just committed. `kind` says what, `ids` which. */
export type Change = {
  /**
   * `api_key` (id), `host_grant` (id), `signing_key` (kid), `principal` (id), `connector` (id), `connection` and `grant` (connector id,
   * connection id). Others may follow: what a reader does not know is not for it.
   */
  readonly kind: string
  readonly ids: readonly string[]
}

export type ChangeSubscriber = {
  onChange(change: Change): void
  /** From here on nothing is heard, and what was kept in memory may be out of date. */
  onLost(): void
  /** Changes are heard from here on. What happened in between is not told. */
  onLive(): void
}

/** The changes that every process on the database hears of, within milliseconds of their commit. */
export type Changes = {
  /**
   * Subscribers are told in the order in which they came, of changes in the order of their commits.
   *
   * @returns ends the subscription
   */
  subscribe(subscriber: ChangeSubscriber): () => void
  /** False while changes may be missed. */
  isLive(): boolean
  close(): Promise<void>
}
