// The types of the TypeScript client, written from the OpenAPI document: the shape that openapi-fetch takes.
//
// openapi-typescript would do it, but needs the compiler's JavaScript API, which TypeScript 7 has not. Our document uses a
// small part of JSON Schema (what zod writes); a keyword that is not known here stops the generation.

type Json = Readonly<Record<string, unknown>>
type Members = readonly {
  readonly name: string
  readonly type: string
  readonly isOptional: boolean
  about?: unknown
}[]

/** What says how a value may be, not what it is. */
const constraints = new Set([
  ...['description', 'default', 'format', 'pattern', 'minLength', 'maxLength', 'minimum', 'maximum', 'minItems'],
  ...['maxItems', 'exclusiveMinimum', 'exclusiveMaximum', 'propertyNames', 'uniqueItems', 'id', 'title'],
])
const shapes = new Set([
  ...[
    'type',
    'enum',
    'const',
    'anyOf',
    'oneOf',
    'allOf',
    '$ref',
    'items',
    'properties',
    'required',
    'additionalProperties',
  ],
])

/**
 * The module `src/client/generated/api.ts`.
 *
 * @param document the OpenAPI 3.1 document
 */
export function clientTypes(document: Json): string {
  const { paths, components } = document as { paths: Record<string, Json>; components: { schemas: Json } }
  const schemas = Object.entries(components.schemas).map(([name, schema]) => required(name, typeOf(schema as Json)))
  const places = Object.entries(paths).map(([path, methods]) => {
    const operations = Object.entries(methods).map(([method, operation]) => operationMember(method, operation as Json))
    return required(path, objectType([required('parameters', parametersType([])), ...operations]))
  })
  return [
    '// Generated from the OpenAPI document (npm run docs). Changes belong into the schemas of src/http.',
    '',
    `type problem = ${problem}`,
    '',
    `export interface paths ${objectType(places)}`,
    '',
    `export interface components ${objectType([required('schemas', objectType(schemas))])}`,
    '',
  ].join('\n')
}

function operationMember(method: string, operation: Json): Members[number] {
  const { summary, parameters, requestBody, responses } = operation as {
    summary: string
    parameters: { name: string; in: string; required: boolean; schema: Json }[]
    requestBody?: { required: boolean; content: Json }
    responses: Record<string, { content?: Json }>
  }
  const body = requestBody === undefined ? [] : [bodyMember(requestBody)]
  const answers = Object.entries(responses).map(([status, { content }]) => required(status, answerType(content)))
  const type = objectType([
    required('parameters', parametersType(parameters)),
    ...body,
    required('responses', objectType(answers)),
  ])
  return { ...required(method, type), about: summary }
}

function answerType(content: Json | undefined): string {
  const body = content === undefined ? optional('content', 'never') : required('content', contentType(content, false))
  const type = objectType([required('headers', '{ [name: string]: unknown }'), body])
  return type === problem ? 'problem' : type
}

function bodyMember({ required: isRequired, content }: { required: boolean; content: Json }): Members[number] {
  const type = objectType([required('content', contentType(content, true))])
  return isRequired ? required('requestBody', type) : optional('requestBody', type)
}

function contentType(content: Json, isInput: boolean): string {
  const media = Object.entries(content) as [string, { schema: Json }][]
  return objectType(media.map(([name, { schema }]) => required(name, typeOf(schema, isInput))))
}

function parametersType(
  parameters: readonly { name: string; in: string; required: boolean; schema: Json; description?: string }[],
): string {
  return objectType(
    ['query', 'header', 'path', 'cookie'].map((place) => {
      const here = parameters.filter((parameter) => parameter.in === place)
      if (here.length === 0) return optional(place, 'never')
      const members = here.map(({ name, required: isRequired, schema, description }) => ({
        ...(isRequired ? required(name, typeOf(schema, true)) : optional(name, `${typeOf(schema, true)} | undefined`)),
        about: description,
      }))
      return here.some((parameter) => parameter.required)
        ? required(place, objectType(members))
        : optional(place, objectType(members))
    }),
  )
}

/**
 * The TypeScript type of a JSON schema.
 *
 * @param isInput of something that is sent: what may be left out may be `undefined` as well, since JSON leaves that out
 */
function typeOf(schema: Json, isInput = false): string {
  for (const key of Object.keys(schema)) {
    if (!shapes.has(key) && !constraints.has(key)) throw new Error(`the client's types know no "${key}"`)
  }
  const { $ref, enum: values, anyOf, oneOf, allOf, type } = schema as Record<string, never>
  if ($ref !== undefined) return `components["schemas"]["${String($ref).split('/').at(-1)}"]`
  if ('const' in schema) return JSON.stringify(schema.const)
  if (values !== undefined) return union((values as unknown[]).map((value) => JSON.stringify(value)))
  const options = (anyOf ?? oneOf) as Json[] | undefined
  if (options !== undefined) return union(options.map((option) => typeOf(option, isInput)))
  if (allOf !== undefined) return (allOf as Json[]).map((part) => typeOf(part, isInput)).join(' & ')
  const types: string[] = type === undefined ? [] : [type].flat()
  return types.length === 0 ? 'unknown' : union(types.map((name) => plainType(name, schema, isInput)))
}

function plainType(name: string, schema: Json, isInput: boolean): string {
  if (name === 'integer' || name === 'number') return 'number'
  if (name === 'string' || name === 'boolean' || name === 'null') return name
  if (name === 'array') return `(${schema.items === undefined ? 'unknown' : typeOf(schema.items as Json, isInput)})[]`
  if (name !== 'object') throw new Error(`the client's types know no type "${name}"`)
  const {
    properties = {},
    required: needed = [],
    additionalProperties,
  } = schema as {
    properties?: Record<string, Json>
    required?: string[]
    additionalProperties?: boolean | Json
  }
  const members = Object.entries(properties).map(([key, property]) => {
    const type = typeOf(property, isInput)
    const member = needed.includes(key) ? required(key, type) : optional(key, isInput ? `${type} | undefined` : type)
    return { ...member, about: property.description }
  })
  if (members.length > 0) return objectType(members)
  const values = typeof additionalProperties === 'object' ? typeOf(additionalProperties, isInput) : 'unknown'
  return additionalProperties === false ? 'Record<string, never>' : `{ [key: string]: ${values} }`
}

const union = (types: readonly string[]): string => [...new Set(types)].join(' | ')
const required = (name: string, type: string) => ({ name, type, isOptional: false })
const optional = (name: string, type: string) => ({ name, type, isOptional: true })

function objectType(members: Members): string {
  const lines = members.map(({ name, type, isOptional, about }) => {
    const key = /^([a-z_$][\w$]*|\d+)$/i.test(name) ? name : JSON.stringify(name)
    const comment = typeof about === 'string' ? `/** ${about.replaceAll('*/', '* /')} */\n` : ''
    return `${comment}${key}${isOptional ? '?' : ''}: ${type}`
  })
  return `{\n${lines.join('\n').replace(/^/gm, '  ')}\n}`
}

/** What every failure answers: named once, since each operation has half a dozen of them. */
const problem = objectType([
  required('headers', '{ [name: string]: unknown }'),
  required('content', objectType([required('application/problem+json', 'components["schemas"]["Problem"]')])),
])
