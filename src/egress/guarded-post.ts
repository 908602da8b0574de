import {
  createDeadline,
  type ExchangeBounds,
  type GuardDeps,
  refuseAnswer,
  startGuarded,
  userAgent,
} from './guarded-exchange.ts'

export type GuardedPostInit = ExchangeBounds & {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** An answer that was read to its end. */
export type GuardedAnswer = { readonly status: number; readonly headers: Headers; readonly text: string }

/**
 * Posts to one URL under the guard, and reads the answer whole: what `GuardedFetch` does for a POST, without the `Response`,
 * which costs more than the exchange itself. For token endpoints, which are asked a thousand times a second.
 *
 * @throws AppError as `GuardedFetch` does; a redirect is `upstream_protocol_error`
 */
export type GuardedPost = (target: URL | string, init: GuardedPostInit) => Promise<GuardedAnswer>

const decoder = new TextDecoder()

export function createGuardedPost(deps: GuardDeps): GuardedPost {
  return async (target, init) => {
    const url = new URL(target)
    const headers = { 'user-agent': userAgent, ...init.headers, 'accept-encoding': 'identity' }
    const deadline = createDeadline(init.totalMs)
    try {
      const running = startGuarded(deps, { url, method: 'POST', headers, body: init.body }, init)
      deadline.watch(running, url)
      const { status, headers: answered, body } = await running.opened
      if (status > 599) return refuseAnswer(running, url, 'status')
      if (status > 299 && status < 400) return refuseAnswer(running, url, 'redirect')
      return { status, headers: answered, text: decoder.decode(await body.bytes()) }
    } finally {
      deadline.clear()
    }
  }
}
