import type { Patchbay } from './patchbay.ts'
import { until } from './until.ts'

export type StreamedEvent = {
  readonly id: string
  readonly type: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it
  readonly data: any
}

export type EventSource = {
  readonly status: number
  readonly headers: Headers
  readonly events: readonly StreamedEvent[]
  /** The last `id` that came, with an event or alone. */
  lastEventId(): string | undefined
  /** The text as it came. */
  text(): string
  hasEnded(): boolean
  close(): Promise<void>
}

type Options = { readonly key?: string; readonly query?: string; readonly lastEventId?: string }

/** Reads `GET /api/v1/events`, as the HTML standard has event streams read (section 9.2.6). */
export async function openEvents(
  patchbay: Pick<Patchbay, 'url' | 'admin'>,
  { key = patchbay.admin, query = '', lastEventId }: Options = {},
): Promise<EventSource> {
  const ending = new AbortController()
  const response = await fetch(`${patchbay.url}/api/v1/events${query}`, {
    headers: { authorization: `Bearer ${key}`, ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }) },
    signal: ending.signal,
  })
  const events: StreamedEvent[] = []
  let last: string | undefined
  let text = ''
  let rest = ''
  let hasEnded = false

  function take(block: string): void {
    const fields = new Map(
      block.split('\n').map((line) => {
        const colon = line.indexOf(':')
        return [line.slice(0, colon), line.slice(colon + 1).trimStart()] as const
      }),
    )
    last = fields.get('id') ?? last
    const data = fields.get('data')
    if (data === undefined) return
    events.push({ id: last ?? '', type: fields.get('event') ?? 'message', data: JSON.parse(data) })
  }

  async function read(): Promise<void> {
    const decoder = new TextDecoder()
    try {
      for await (const chunk of response.body ?? []) {
        const piece = decoder.decode(chunk, { stream: true })
        text += piece
        const blocks = (rest + piece).split('\n\n')
        rest = blocks.pop() ?? ''
        for (const block of blocks) take(block)
      }
    } catch {
      // closed by us, or cut off
    } finally {
      hasEnded = true
    }
  }
  const reading = read()
  // a stream begins with its place
  await until('the first frame', () => response.status !== 200 || last !== undefined || hasEnded)
  return {
    status: response.status,
    headers: response.headers,
    events,
    lastEventId: () => last,
    text: () => text,
    hasEnded: () => hasEnded,
    async close() {
      ending.abort()
      await reading
    },
  }
}
