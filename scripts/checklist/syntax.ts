import { parseSync } from 'oxc-parser'

/** A node of the syntax tree (ESTree), as far as the checklist looks into it. */
export type Node = {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [key: string]: unknown
}
export type Comment = { readonly value: string; readonly start: number; readonly end: number }

export function parse(path: string, source: string): { readonly program: Node; readonly comments: readonly Comment[] } {
  const { program, comments, errors } = parseSync(path, source)
  if (errors.length > 0) throw new Error(`${path} cannot be parsed: ${errors[0]?.message}`)
  return { program: program as unknown as Node, comments }
}

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'
}

/** The node and all below it, in the order of the source. */
export function* descendants(node: Node): Generator<Node> {
  yield node
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) yield* descendants(child)
  }
}

/** The text of a name: of an identifier, or of a key in quotes. */
export function nameOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined
  const name = node.type === 'Identifier' ? node.name : node.type === 'Literal' ? node.value : undefined
  return typeof name === 'string' ? name : undefined
}
