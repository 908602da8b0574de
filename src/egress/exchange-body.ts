/** The body of an answer, as it comes. It is read once, in one of two ways, or discarded. */
export type ExchangeBody = {
  /** All of it. Rejects with what `fail` was told. */
  bytes(): Promise<Uint8Array>
  /** Piece by piece; the sender is held back while nobody reads. */
  stream(): ReadableStream<Uint8Array>
}

/** The side of the sender. */
export type BodySource = {
  readonly body: ExchangeBody
  /** @returns false when the sender should pause until it is resumed */
  push(chunk: Uint8Array): boolean
  end(): void
  fail(error: Error): void
}

type Sender = { resume(): void; cancel(): void }
type Reader = Pick<BodySource, 'push' | 'end' | 'fail'>

const bufferedBytes = 64 * 1024

/**
 * Keeps what comes until somebody says how to read it: answers are mostly short and read whole, for which a web stream would
 * cost more than all the rest of the exchange.
 */
export function createExchangeBody({ resume, cancel }: Sender): BodySource {
  const kept: Uint8Array[] = []
  let keptBytes = 0
  let isEnded = false
  let failure: Error | undefined
  let reader: Reader | undefined

  function read(next: Reader): void {
    reader = next
    for (const chunk of kept) next.push(chunk)
    if (failure !== undefined) next.fail(failure)
    else if (isEnded) next.end()
    else resume()
  }

  return {
    body: {
      bytes: () =>
        new Promise((resolve, reject) => {
          const chunks: Uint8Array[] = []
          read({
            push: (chunk) => chunks.push(chunk) > 0,
            end: () => resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)),
            fail: reject,
          })
        }),
      stream: () =>
        new ReadableStream<Uint8Array>(
          {
            start: (stream) =>
              read({
                push: (chunk) => {
                  // a copy: a stream may hand its pieces over to another thread, and the memory around them with it
                  stream.enqueue(new Uint8Array(chunk))
                  return (stream.desiredSize ?? 0) > 0
                },
                end: () => stream.close(),
                fail: (error) => stream.error(error),
              }),
            pull: resume,
            cancel,
          },
          new ByteLengthQueuingStrategy({ highWaterMark: bufferedBytes }),
        ),
    },
    push(chunk) {
      if (reader !== undefined) return reader.push(chunk)
      kept.push(chunk)
      keptBytes += chunk.byteLength
      return keptBytes < bufferedBytes
    },
    end() {
      isEnded = true
      reader?.end()
    },
    fail(error) {
      failure ??= error
      reader?.fail(error)
    },
  }
}
