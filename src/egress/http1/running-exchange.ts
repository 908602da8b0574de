import type { AnswerHead } from './answer-head.ts'
import type { Connection, Task } from './connection.ts'
import type { AnswerHandler, UpstreamExchange, UpstreamRequest } from './exchange.ts'
import { writeRequestHead } from './request-head.ts'

/** One request, from before it has a connection until its answer is over. */
export class RunningExchange implements Task, UpstreamExchange {
  readonly method: string
  readonly head: string
  readonly body: Buffer | null
  isOver = false
  readonly #handler: AnswerHandler
  #connection: Connection | null = null

  /** @throws AppError `internal` when the request cannot be written as HTTP */
  constructor(request: UpstreamRequest, host: string, handler: AnswerHandler) {
    this.method = request.method
    this.head = writeRequestHead(request, host)
    this.body = request.body
    this.#handler = handler
  }

  begin(connection: Connection): void {
    this.#connection = connection
    connection.send(this)
  }

  abort(): void {
    const connection = this.#leave()
    connection?.destroy()
  }

  resume(): void {
    this.#connection?.resume()
  }

  onHead(head: AnswerHead): void {
    this.#handler.onHead(head.status, head.headers)
  }

  onData(bytes: Buffer): boolean {
    return this.#handler.onData(bytes)
  }

  onEnd(): void {
    this.#leave()
    this.#handler.onEnd()
  }

  onFailure(error: unknown): void {
    if (this.isOver) return
    this.#leave()
    this.#handler.onFailure(error)
  }

  /** The connection belongs to somebody else from now on. */
  #leave(): Connection | null {
    const connection = this.#connection
    this.isOver = true
    this.#connection = null
    return connection
  }
}
