/** One request to an upstream. */
export type UpstreamRequest = {
  readonly origin: string
  /** With the query. */
  readonly path: string
  readonly method: string
  /** Names and values in turn, without those that say where the request goes, how long it is and what becomes of the socket. */
  readonly headers: readonly string[]
  readonly body: Buffer | null
}

/** Is told of one answer: `onHead`, any number of `onData`, `onEnd`; or, at any point, `onFailure`, and nothing after that. */
export type AnswerHandler = {
  /** 1xx answers are passed over. Headers are names in lower case and values, in turn, as they came (Latin-1). */
  onHead(status: number, headers: readonly string[]): void
  /**
   * @param bytes good only until this returns: the next answer is read into the same memory
   * @returns false when no more should come until `resume`; up to 64 KB may come all the same
   */
  onData(bytes: Buffer): boolean
  onEnd(): void
  /** An `AppError`, or what the system said of the socket. */
  onFailure(error: unknown): void
}

/** A request under way. */
export type UpstreamExchange = {
  /** Ends it, and the socket with it. Its handler hears nothing more. */
  abort(): void
  resume(): void
}

/**
 * The way out for calls: judges each address, follows no redirect, decodes nothing, never sends a request twice, has no watch for
 * silence. Requests are begun together, at the end of the turn of the event loop.
 *
 * @throws AppError `internal` when the request cannot be written as HTTP; later failures go to the handler
 */
export type UpstreamClient = {
  dispatch(request: UpstreamRequest, handler: AnswerHandler): UpstreamExchange
}
