import type { Socket } from 'node:net'
import { AppError } from '../../kernel/app-error.ts'
import type { AnswerHead } from './answer-head.ts'
import { AnswerReader, type AnswerSink } from './answer-reader.ts'

/** What a connection does for one request, and whom it tells. */
export type Task = {
  readonly method: string
  readonly head: string
  readonly body: Buffer | null
  onHead(head: AnswerHead): void
  onData(bytes: Buffer): boolean
  onEnd(): void
  onFailure(error: unknown): void
}

/** What becomes of it. */
export type ConnectionOwner = {
  /** It waits for its next task. @param keptSeconds how long the other side will keep it, null when it did not say */
  onIdle(connection: Connection, keptSeconds: number | null): void
  onClosed(connection: Connection): void
}

/** Longer bodies are handed over as they are: a string would be one more copy of them. */
const maxJoinedBytes = 16 * 1024

/** One socket to an upstream, with one request on it at a time. */
export class Connection implements AnswerSink {
  readonly #socket: Socket
  readonly #owner: ConnectionOwner
  readonly #reader = new AnswerReader(this)
  #task: Task | null = null
  #isKept = false
  #keptSeconds: number | null = null
  #isPaused = false

  constructor(socket: Socket, owner: ConnectionOwner) {
    this.#socket = socket
    this.#owner = owner
    socket.on('error', (error) => this.#fail(error))
    socket.on('end', () => {
      if (!this.#reader.finish()) this.#fail(closedEarly())
    })
    socket.on('close', () => {
      this.#fail(closedEarly())
      owner.onClosed(this)
    })
  }

  get isUsable(): boolean {
    return this.#task === null && !this.#socket.destroyed
  }

  send(task: Task): void {
    this.#task = task
    this.#isKept = false
    this.#reader.begin(task.method)
    const { head, body } = task
    if (body === null) this.#socket.write(head, 'latin1')
    else if (body.length <= maxJoinedBytes) {
      // one piece, so one system call
      this.#socket.write(head + body.toString('latin1'), 'latin1')
    } else {
      this.#socket.cork()
      this.#socket.write(head, 'latin1')
      this.#socket.write(body)
      this.#socket.uncork()
    }
  }

  /** What came on the socket. @returns false to be sent no more until `resume` */
  read(bytes: Buffer): boolean {
    if (this.#task === null) {
      // nobody has asked for anything
      this.destroy()
      return false
    }
    try {
      this.#reader.read(bytes)
    } catch (error) {
      this.#fail(error)
    }
    return !this.#isPaused
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#socket.resume()
  }

  /** Ends it. Its task hears nothing more. */
  destroy(): void {
    this.#task = null
    this.#reader.stop()
    this.#socket.destroy()
  }

  onHead(head: AnswerHead): void {
    this.#isKept = head.isKept
    this.#keptSeconds = head.keptSeconds
    this.#task?.onHead(head)
  }

  onData(bytes: Buffer): void {
    if (this.#task?.onData(bytes) === false) this.#isPaused = true
  }

  onEnd(isClean: boolean): void {
    const task = this.#task
    this.#task = null
    this.#isPaused = false
    // a request that is not yet sent whole would be in the way of the next
    if (isClean && this.#isKept && this.#socket.writableLength === 0) this.#owner.onIdle(this, this.#keptSeconds)
    else this.#socket.destroy()
    task?.onEnd()
  }

  #fail(error: unknown): void {
    const task = this.#task
    this.destroy()
    task?.onFailure(error)
  }
}

function closedEarly(): AppError {
  return new AppError('upstream_error', 'the upstream closed the connection', { meta: { reason: 'closed' } })
}
