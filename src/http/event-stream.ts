import { Readable } from 'node:stream'
import type { Context } from 'koa'
import { isAppError } from '../kernel/app-error.ts'
import type { Principal } from '../kernel/principal.ts'
import type { LiveRequest, StreamType } from './route.ts'

/** What a handler needs to know of a request for as long as it is being answered. */
export function liveRequest(ctx: Context, confirm: () => Promise<Principal>): LiveRequest {
  return {
    lastEventId: ctx.get('Last-Event-ID') || undefined,
    get signal() {
      const closing = new AbortController()
      ctx.res.once('close', () => closing.abort())
      if (ctx.res.destroyed) closing.abort()
      return closing.signal
    },
    confirm,
  }
}

/**
 * Answers with a stream of Server-Sent Events (WHATWG HTML, section 9.2) or of lines, as fast as its reader takes it. A stream
 * of events whose credentials no longer hold just ends: its reader asks again, and is told then. Lines that stop early are cut
 * off, so that nobody takes them for all there are.
 *
 * @throws what the first step of `pieces` throws, when nothing has been sent yet
 */
export async function sendStream(ctx: Context, type: StreamType, pieces: AsyncIterable<string>): Promise<void> {
  const iterator = pieces[Symbol.asyncIterator]()
  const first = await iterator.next()
  ctx.set('Content-Type', `${type}; charset=utf-8`)
  ctx.set('X-Accel-Buffering', 'no')
  ctx.body = Readable.from(continued(first, iterator, type === 'text/event-stream'))
}

async function* continued(
  first: IteratorResult<string>,
  rest: AsyncIterator<string>,
  mayJustEnd: boolean,
): AsyncGenerator<string> {
  try {
    for (let step = first; !step.done; step = await rest.next()) yield step.value
  } catch (error) {
    if (!mayJustEnd || !isAppError(error)) throw error
  } finally {
    await rest.return?.()
  }
}

type Frame = {
  readonly id: string
  /** Null: only the news that there is nothing up to `id`, which readers remember and do not hand on. */
  readonly event: { readonly type: string; readonly data: object } | null
  /** How soon readers come back after the end of the stream, in milliseconds. */
  readonly retryMs?: number
}

/** One frame of a stream. */
export function formatFrame({ id, event, retryMs }: Frame): string {
  const lines = [
    ...(retryMs === undefined ? [] : [`retry: ${retryMs}`]),
    `id: ${id}`,
    ...(event === null ? [': nothing new'] : [`event: ${event.type}`, `data: ${JSON.stringify(event.data)}`]),
  ]
  return `${lines.join('\n')}\n\n`
}
