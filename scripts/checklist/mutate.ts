import { descendants, isNode, type Node, nameOf, parse } from './syntax.ts'

/** A source in which one symbol is broken. */
export type Mutant = {
  /** What was done to the symbol, for people. */
  readonly how: string
  readonly source: string
}

type Edit = { readonly start: number; readonly end: number; readonly text: string }

/**
 * Breaks a symbol: a function, method or constant, by name. The mutants come in the order in which they resemble a guard
 * that lets everything through: refusals taken out, checks taken out, the argument as it came, one fixed answer.
 *
 * @throws Error when the file has no such symbol, or several
 */
export function breakSymbol(path: string, source: string, symbol: string): Mutant[] {
  const { program } = parse(path, source)
  const found = [...descendants(program)].flatMap((node) => definitionOf(node, symbol) ?? [])
  const [value] = found
  if (value === undefined) throw new Error(`${path} has no "${symbol}"`)
  if (found.length > 1) throw new Error(`${path} has several "${symbol}": name another one`)
  const mutants = isFunction(value) ? breakFunction(value, source) : breakConstant(value, source)
  return mutants.map(({ how, edits }) => ({ how, source: apply(source, edits) }))
}

type Change = { readonly how: string; readonly edits: readonly Edit[] }

function definitionOf(node: Node, symbol: string): Node | undefined {
  if (node.type === 'FunctionDeclaration' && nameOf(node.id) === symbol && isNode(node.body)) return node
  if (node.type === 'VariableDeclarator' && nameOf(node.id) === symbol && isNode(node.init)) return unwrap(node.init)
  const isMember = node.type === 'Property' || node.type === 'MethodDefinition' || node.type === 'PropertyDefinition'
  if (!isMember || nameOf(node.key) !== symbol || node.shorthand === true || !isNode(node.value)) return undefined
  const value = unwrap(node.value)
  return value.type === 'Identifier' ? undefined : value
}

/** Without `as const`, `satisfies` and brackets. */
function unwrap(node: Node): Node {
  const isWrapper = /^(TSAsExpression|TSSatisfiesExpression|ParenthesizedExpression)$/.test(node.type)
  return isWrapper && isNode(node.expression) ? unwrap(node.expression) : node
}

function isFunction({ type }: Node): boolean {
  return type === 'FunctionDeclaration' || type === 'FunctionExpression' || type === 'ArrowFunctionExpression'
}

function breakFunction(node: Node, source: string): Change[] {
  const { body } = node
  if (!isNode(body)) return []
  const inside = [...descendants(body)]
  const throws = inside.filter(({ type }) => type === 'ThrowStatement')
  const checks = inside.filter(
    ({ type, alternate, consequent }) => type === 'IfStatement' && alternate === null && isExit(consequent),
  )
  const tests = checks.flatMap(({ test }) => (isNode(test) ? [test] : []))
  const lists = inside.filter(
    (it) => it.type === 'ArrayExpression' && Array.isArray(it.elements) && it.elements.length > 0,
  )
  const conditions = inside.flatMap((it) => conditionsOf(it, source))
  const isBlock = body.type === 'BlockStatement'
  const answer = (text: string): Change => ({
    how: `always answers ${text}`,
    edits: [replace(body, isBlock ? `{ return ${text} }` : `(${text})`)],
  })
  const given = Array.isArray(node.params) ? nameOf(node.params[0]) : undefined
  const through = given === undefined ? [] : [{ ...answer(given), how: 'hands through what it is given' }]
  const answers = isYesOrNo(node, body)
    ? [answer('true'), answer('false')]
    : [...through, answer('null'), answer('undefined')]
  return [
    ...(throws.length === 0 ? [] : [{ how: 'throws nothing', edits: throws.map((it) => replace(it, '{}')) }]),
    ...(tests.length === 0 ? [] : [{ how: 'checks nothing', edits: tests.map((it) => replace(it, 'false')) }]),
    ...(lists.length === 0 ? [] : [{ how: 'forgets what it lists', edits: lists.map((it) => replace(it, '[]')) }]),
    ...conditions,
    ...answers,
  ]
}

/** A query that asks for less: each condition of a `where` taken out once. */
function conditionsOf(node: Node, source: string): Change[] {
  const { name, value } =
    node.type === 'VariableDeclarator' ? { name: node.id, value: node.init } : { name: node.key, value: node.value }
  if (nameOf(name) !== 'where' || !isNode(value) || !Array.isArray(value.properties)) return []
  const conditions = value.properties.filter(isNode)
  return conditions.map((condition) => {
    const others = conditions.filter((other) => other !== condition)
    const kept = others.map(({ start, end }) => source.slice(start, end)).join(', ')
    return { how: `asks without ${nameOf(condition.key) ?? 'a condition'}`, edits: [replace(value, `{ ${kept} }`)] }
  })
}

/** A branch that leaves: `return`, `throw`, `continue`, alone or at the end of a block. */
function isExit(node: unknown): boolean {
  if (!isNode(node)) return false
  if (node.type === 'BlockStatement') return Array.isArray(node.body) && isExit(node.body.at(-1))
  return /^(Return|Throw|Continue)Statement$/.test(node.type)
}

function isYesOrNo(node: Node, body: Node): boolean {
  const annotation = isNode(node.returnType) ? node.returnType.typeAnnotation : undefined
  if (isNode(annotation)) return annotation.type === 'TSBooleanKeyword' || annotation.type === 'TSTypePredicate'
  const isNegation = body.type === 'UnaryExpression' && body.operator === '!'
  return isNegation || body.type === 'LogicalExpression' || body.type === 'BinaryExpression'
}

function breakConstant(node: Node, source: string): Change[] {
  const as = (how: string, text: string): Change => ({ how, edits: [replace(node, text)] })
  if (node.type === 'Literal' && 'regex' in node)
    return [as('matches nothing', '/(?!)/'), as('matches everything', '/^/')]
  if (node.type === 'Literal' && typeof node.value === 'boolean') return [as('is the opposite', String(!node.value))]
  if (node.type === 'ArrayExpression') return [as('is empty', '[]')]
  if (node.type === 'ObjectExpression') return [as('is empty', '{}')]
  if (node.type === 'NewExpression' && /^(Set|Map)$/.test(nameOf(node.callee) ?? '')) {
    return [as('is empty', `new ${nameOf(node.callee)}()`)]
  }
  if (isSchema(node)) return [as('accepts anything', 'z.any()')]
  const text = source.slice(node.start, node.end)
  if (/^[\d_\s*+.]+$/.test(text)) return [as('is a thousand times as much', `(${text}) * 1000`), as('is nothing', '0')]
  return [as('is undefined', 'undefined')]
}

/** A chain of calls that begins with zod's `z`. */
function isSchema(node: Node): boolean {
  if (nameOf(node) === 'z') return true
  const inner =
    node.type === 'CallExpression' ? node.callee : node.type === 'MemberExpression' ? node.object : undefined
  return isNode(inner) && isSchema(inner)
}

function replace({ start, end }: Node, text: string): Edit {
  return { start, end, text }
}

/** From the end to the beginning; of edits within one another the outer one counts. */
function apply(source: string, edits: readonly Edit[]): string {
  const outer = edits.filter((edit) => !edits.some((other) => other.start < edit.start && edit.end < other.end))
  return [...outer]
    .sort((a, b) => b.start - a.start)
    .reduce((text, { start, end, text: by }) => text.slice(0, start) + by + text.slice(end), source)
}
