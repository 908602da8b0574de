import Router from '@koa/router'
import type { Context } from 'koa'
import type { z } from 'zod'
import type { CallerSource } from '../access/authenticate.ts'
import type { Caller } from '../access/caller.ts'
import type { RateLimit } from '../access/rate-limit.ts'
import { requireScope } from '../access/rights.ts'
import { holderOfRefused } from '../access/verify-caller.ts'
import { type AuditLog, isRefusal } from '../audit/audit-log.ts'
import { AppError, type FieldProblem } from '../kernel/app-error.ts'
import { parseTraceparent } from '../kernel/trace-context.ts'
import { type Tracing, traced } from '../kernel/tracing.ts'
import { apiAct, type Given, isAct, madeBy } from './api-acts.ts'
import { liveRequest, sendStream } from './event-stream.ts'
import { requestRecord } from './front-door.ts'
import { readJsonBody } from './json-body.ts'
import type { Route } from './route.ts'

export const apiPrefix = '/api/v1'

export type Authenticate = (source: CallerSource) => Promise<Caller>

type Deps = {
  readonly routes: readonly Route[]
  readonly authenticate: Authenticate
  /** Of requests, for each principal. */
  readonly rateLimit: RateLimit
  readonly audit: AuditLog
  readonly openApi: object
  readonly tracing: Tracing
}

/**
 * The REST API: authenticates, checks the scope, parses with the route's schemas, and only then calls its handler. What
 * somebody does, and what is refused to somebody who is known, goes to the audit log.
 */
export function createApiRouter({ routes, authenticate, rateLimit, audit, openApi, tracing }: Deps): Router {
  const router = new Router({ prefix: apiPrefix, sensitive: true, strict: true })
  router.get('/openapi.json', (ctx) => {
    ctx.body = openApi
  })
  for (const route of routes) {
    router.register(koaPath(route.path), [route.method], (ctx: Context) => serve(ctx, route))
  }
  return router

  async function serve(ctx: Context, route: Route): Promise<void> {
    const record = requestRecord(ctx.req)
    const source = { rawHeaders: ctx.req.rawHeaders, address: record.address }
    let caller: Caller | null = null
    let given: Given = { params: ctx.params }
    let hasBegun = false
    try {
      caller = await authenticate(source)
      const { principal } = caller
      record.principalId = principal.id
      await rateLimit.take(principal.id)
      requireScope(principal, route.scope)
      const params = route.params === undefined ? undefined : parseParams(route.params, ctx.params)
      const query = parseQuery(route.query, ctx.querystring)
      const raw = await readJsonBody(ctx.req)
      const body = checkBody(route, raw)
      given = { params, body: raw }
      const confirm = async () => {
        const confirmed = (await authenticate(source)).principal
        requireScope(confirmed, route.scope)
        return confirmed
      }
      const handle = () => route.handle({ principal, params, query, body, live: liveRequest(ctx, confirm) })
      ctx.set('Cache-Control', 'no-store')
      ctx.status = route.success.status
      const { stream } = route.success
      if (stream !== undefined) return await sendStream(ctx, stream, handle() as unknown as AsyncIterable<string>)
      hasBegun = isAct(route)
      const known = apiAct(route, caller, record, given)
      const act = () => (isAct(route) ? audit.run(known, handle, madeBy) : handle())
      const parent = parseTraceparent(ctx.get('traceparent'))
      const name = `${ctx.method} ${apiPrefix}${route.path}`
      const value = await traced(tracing, name, { kind: 'server', parent }, (span) => {
        span.set({ 'patchbay.request_id': record.requestId })
        record.span = span
        return act()
      })
      if (value !== undefined) ctx.body = value
    } catch (error) {
      const who = caller ?? holderOfRefused(error)
      if (!hasBegun && who !== null && isRefusal(error)) await audit.refused(apiAct(route, who, record, given), error)
      throw error
    }
  }
}

const koaPath = (path: string) => path.replace(/\{(\w+)\}/g, ':$1')

/** An id of another form cannot exist, so it answers like a missing one. */
function parseParams(schema: z.ZodType, params: unknown): unknown {
  const result = schema.safeParse(params)
  if (!result.success) throw new AppError('not_found', 'malformed id in the path')
  return result.data
}

function parseQuery(schema: z.ZodType | undefined, querystring: string): unknown {
  const query: Record<string, string> = Object.create(null)
  for (const [name, value] of new URLSearchParams(querystring)) {
    if (name in query) throw invalid('query', [{ path: name, message: 'given twice' }])
    // PostgreSQL cannot store it, nor look for it
    if (value.includes('\u0000')) throw invalid('query', [{ path: name, message: 'holds a NUL character' }])
    query[name] = value
  }
  if (schema === undefined) {
    const [unknownName] = Object.keys(query)
    if (unknownName !== undefined) throw invalid('query', [{ path: unknownName, message: 'not known here' }])
    return undefined
  }
  return parse(schema, { ...query }, 'query')
}

function checkBody(route: Route, body: unknown): unknown {
  if (route.body === undefined) {
    if (body !== undefined && !isEmptyObject(body))
      throw invalid('body', [{ path: '', message: 'no body is expected here' }])
    return undefined
  }
  return parse(route.body, body, 'body')
}

const isEmptyObject = (value: unknown) => typeof value === 'object' && value !== null && Object.keys(value).length === 0

function parse(schema: z.ZodType, value: unknown, where: 'query' | 'body'): unknown {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw invalid(
    where,
    result.error.issues.flatMap((issue): FieldProblem[] =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => ({ path: [...issue.path, key].join('.'), message: 'not known here' }))
        : [{ path: issue.path.join('.'), message: issue.message }],
    ),
  )
}

function invalid(where: 'query' | 'body', fields: readonly FieldProblem[]): AppError {
  const named = fields.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ')
  return new AppError('invalid_request', `${where} refused by the schema`, {
    publicDetail: `The ${where} is not valid. ${named}`.slice(0, 1000),
    fields: fields.slice(0, 20),
  })
}
