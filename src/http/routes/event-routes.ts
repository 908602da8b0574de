import { formatPlace } from '../../audit/event-place.ts'
import type { WatchEvents } from '../../connections/watch-events.ts'
import { AppError } from '../../kernel/app-error.ts'
import { formatFrame } from '../event-stream.ts'
import { present } from '../fields.ts'
import { representEvent } from '../representations.ts'
import { defineStream, type LiveRequest, type Route } from '../route.ts'
import { eventSchema, lastEventId, watchEventsQuery } from '../schemas.ts'

type Deps = { readonly watchEvents: WatchEvents }

const retryMs = 1000

/** What happens to connectors, as it happens. */
export function createEventRoutes({ watchEvents }: Deps): Route[] {
  return [
    defineStream({
      path: '/events',
      operationId: 'watchEvents',
      summary: 'What happens to your connectors, as it happens',
      scope: 'connectors:read',
      query: watchEventsQuery,
      success: {
        description:
          'Server-Sent Events: `event` is the type, `data` the event. Send the last `id` as `Last-Event-ID` to read on where a stream ended.',
        schema: eventSchema,
        stream: 'text/event-stream',
      },
      errors: ['too_many_streams'],
      handle: async function* ({ principal, query, live }) {
        const { types, connector_id: connectorId, last_event_id: given } = query
        const after = readLastEventId(live) ?? given
        const { signal, confirm } = live
        let retry: { retryMs?: number } = { retryMs }
        for await (const { place, event } of watchEvents.watch(principal, {
          ...present({ types, connectorId, after: after ?? undefined }),
          signal,
          confirm,
        })) {
          const shown = event === null ? null : { type: event.type, data: representEvent(event) }
          yield formatFrame({ id: formatPlace(place), event: shown, ...retry })
          retry = {}
        }
      },
    }),
  ]
}

function readLastEventId({ lastEventId: header }: LiveRequest) {
  if (header === undefined) return undefined
  const place = lastEventId.safeParse(header)
  if (place.success) return place.data
  throw new AppError('invalid_request', 'unknown Last-Event-ID', {
    publicDetail:
      'Last-Event-ID is not the id of an event of this stream. Leave it out to begin with what happens now.',
  })
}
