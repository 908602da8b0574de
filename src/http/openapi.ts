import { z } from 'zod'
import type { ErrorCode } from '../kernel/app-error.ts'
import { apiPrefix } from './api-router.ts'
import { problemFaces } from './problems.ts'
import type { Route } from './route.ts'
import { problemSchema } from './schemas.ts'

type Json = Record<string, unknown>

/** What every route may answer besides its own errors. */
const commonErrors: readonly ErrorCode[] = [
  'unauthenticated',
  'forbidden',
  'invalid_request',
  'rate_limited',
  'internal',
  'storage_unavailable',
]
const bodyErrors: readonly ErrorCode[] = ['invalid_json', 'unsupported_media_type', 'payload_too_large']

/**
 * The OpenAPI 3.1 document of the REST API, from the very schemas that check requests.
 *
 * @param version of the product, as in package.json
 */
export function describeApi(routes: readonly Route[], version: string): Json {
  const components: Json = {}
  const reference = (schema: z.ZodType, io: 'input' | 'output') => toSchema(schema, io, components)
  const paths: Record<string, Json> = {}
  for (const route of routes) {
    const path = apiPrefix + route.path
    paths[path] = { ...paths[path], [route.method]: operation(route, reference) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Patchbay',
      version,
      description: 'Connects remote MCP servers, keeps their tokens fresh, and offers each at one stable URL.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }, { basic: [] }],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'An API key.' },
        basic: { type: 'http', scheme: 'basic', description: 'Any user name; the API key as password.' },
      },
      schemas: components,
    },
  }
}

function operation(route: Route, reference: (schema: z.ZodType, io: 'input' | 'output') => Json): Json {
  const { success } = route
  const errors = [...route.errors, ...commonErrors, ...(route.body === undefined ? [] : bodyErrors)]
  return {
    operationId: route.operationId,
    summary: route.summary,
    'x-scope': route.scope,
    parameters: [...parameters(route.params, 'path'), ...parameters(route.query, 'query')],
    ...(route.body === undefined
      ? {}
      : {
          requestBody: {
            required: !route.body.safeParse(undefined).success,
            content: { 'application/json': { schema: reference(route.body, 'input') } },
          },
        }),
    responses: {
      [success.status]: {
        description: success.description,
        ...(success.schema === undefined
          ? {}
          : { content: { [mediaTypeOf(route)]: { schema: reference(success.schema, 'output') } } }),
      },
      ...problemResponses(errors, reference(problemSchema, 'output')),
    },
  }
}

const mediaTypeOf = ({ success }: Route) => success.stream ?? 'application/json'

function problemResponses(codes: readonly ErrorCode[], schema: Json): Json {
  const byStatus = new Map<number, Set<ErrorCode>>()
  for (const code of codes) {
    const { status } = problemFaces[code]
    byStatus.set(status, (byStatus.get(status) ?? new Set()).add(code))
  }
  const statuses = [...byStatus].sort(([a], [b]) => a - b)
  return Object.fromEntries(
    statuses.map(([status, group]) => [
      status,
      {
        description: [...group].map((code) => `\`${code}\``).join(', '),
        content: { 'application/problem+json': { schema } },
      },
    ]),
  )
}

function parameters(schema: z.ZodType | undefined, where: 'path' | 'query'): Json[] {
  if (schema === undefined) return []
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: 'input' }) as {
    properties?: Record<string, Json>
    required?: string[]
  }
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema: rest,
  }))
}

/** JSON Schema of a zod schema; those with an id of their own go into `components`, and a reference stands for them. */
function toSchema(schema: z.ZodType, io: 'input' | 'output', components: Json): Json {
  const { $schema: _, $defs, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Json
  for (const [name, definition] of Object.entries(($defs ?? {}) as Json)) components[name] = relink(definition)
  return relink(rest) as Json
}

/** References into `$defs` become references into `components`. */
function relink(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll('"#/$defs/', '"#/components/schemas/'))
}
