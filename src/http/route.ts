import type { z } from 'zod'
import type { ErrorCode } from '../kernel/app-error.ts'
import type { Principal, Scope } from '../kernel/principal.ts'

export type Method = 'get' | 'post' | 'patch' | 'delete'

/** Server-Sent Events, or one JSON value a line. */
export type StreamType = 'text/event-stream' | 'application/x-ndjson'

type Shape = z.ZodType | undefined
type Parsed<S extends Shape> = S extends z.ZodType ? z.output<S> : undefined

/** Of the request itself, for answers that go on. */
export type LiveRequest = {
  readonly lastEventId: string | undefined
  /** Aborted when nobody listens any more. */
  readonly signal: AbortSignal
  /**
   * Finds out anew who is asking.
   *
   * @throws AppError `unauthenticated`, `forbidden`
   */
  confirm(): Promise<Principal>
}

export type RouteInput<Params extends Shape, Query extends Shape, Body extends Shape> = {
  readonly principal: Principal
  readonly params: Parsed<Params>
  readonly query: Parsed<Query>
  readonly body: Parsed<Body>
  readonly live: LiveRequest
}

/**
 * One operation of the REST API. The router checks requests with these schemas and the OpenAPI document is generated from
 * them, so the two cannot disagree.
 */
export type RouteDefinition<Params extends Shape, Query extends Shape, Body extends Shape, Response extends Shape> = {
  readonly method: Method
  /** With parameters as OpenAPI writes them: `/connectors/{id}`. Below `/api/v1`. */
  readonly path: string
  readonly operationId: string
  readonly summary: string
  readonly scope: Scope
  readonly params?: Params
  readonly query?: Query
  readonly body?: Body
  readonly success: {
    readonly status: 200 | 201 | 204
    readonly description: string
    readonly schema?: Response
    /** The answer is a stream of that media type; `schema` is that of one item in it, and `handle` gives its text piece by piece. */
    readonly stream?: StreamType
  }
  /** What callers must be ready for, besides what every route may answer. */
  readonly errors: readonly ErrorCode[]
  handle(input: RouteInput<Params, Query, Body>): Promise<Response extends z.ZodType ? z.input<Response> : undefined>
}

/** A route whose types are known to itself alone. */
export type Route = Omit<RouteDefinition<Shape, Shape, Shape, Shape>, 'handle'> & {
  handle(input: {
    principal: Principal
    params: unknown
    query: unknown
    body: unknown
    live: LiveRequest
  }): Promise<unknown>
}

/** Ties a route's handler to its schemas; the router hands over exactly what they parsed. */
export function defineRoute<
  Params extends Shape = undefined,
  Query extends Shape = undefined,
  Body extends Shape = undefined,
  Response extends Shape = undefined,
>(definition: RouteDefinition<Params, Query, Body, Response>): Route {
  return definition as unknown as Route
}

type StreamDefinition<Params extends Shape, Query extends Shape> = Omit<
  RouteDefinition<Params, Query, undefined, Shape>,
  'handle' | 'method' | 'body' | 'success'
> & {
  readonly success: {
    readonly description: string
    /** Of the data of each event, of each line. */
    readonly schema: z.ZodType
    readonly stream: StreamType
  }
  /** The stream, piece by piece. What its first step throws is answered with a problem document. */
  handle(input: RouteInput<Params, Query, undefined>): AsyncIterable<string>
}

/** The same for an answer that goes on. */
export function defineStream<Params extends Shape = undefined, Query extends Shape = undefined>(
  definition: StreamDefinition<Params, Query>,
): Route {
  const { success, ...rest } = definition
  return { ...rest, method: 'get', success: { ...success, status: 200 } } as unknown as Route
}
