import { dirname, join } from 'node:path/posix'
import { parseSync } from 'oxc-parser'

export type Import = {
  /** A file, from the project's folder on; or the name of a package or a built-in module. */
  readonly target: string
  readonly isFile: boolean
  readonly isTypeOnly: boolean
  /** What is taken from it; `*` for all of it, and for the default export. */
  readonly names: readonly string[]
}

/** What of the world a module reads by itself rather than through a parameter. */
export type Ambient = 'process.env' | 'fetch' | 'time'

export type Module = {
  /** From the project's folder on, with slashes. */
  readonly path: string
  readonly lines: number
  readonly imports: readonly Import[]
  readonly ambient: ReadonlySet<Ambient>
  readonly hasDefaultExport: boolean
}

type Node = { readonly type: string; readonly [key: string]: unknown }

/**
 * Reads what the architecture is about from a module's source: every import there is (types, re-exports, `import()` in
 * code and in types, `require`), and what it takes from its surroundings.
 */
export function parseModule(path: string, source: string): Module {
  const { program, module, errors } = parseSync(path, source)
  if (errors.length > 0) throw new Error(`${path} cannot be parsed: ${errors[0]?.message}`)
  const imports: Import[] = []
  const add = (specifier: string, isTypeOnly: boolean, names: readonly string[]): void => {
    const isFile = specifier.startsWith('.')
    imports.push({ target: isFile ? join(dirname(path), specifier) : specifier, isFile, isTypeOnly, names })
  }

  for (const { moduleRequest, entries } of module.staticImports) {
    const isTypeOnly = entries.length > 0 && entries.every((entry) => entry.isType)
    const values = entries.filter((entry) => isTypeOnly || !entry.isType)
    add(
      moduleRequest.value,
      isTypeOnly,
      values.map(({ importName }) => importName.name ?? '*'),
    )
  }
  const exported = module.staticExports.flatMap(({ entries }) => entries)
  for (const { moduleRequest, isType, importName } of exported) {
    if (moduleRequest !== null) add(moduleRequest.value, isType, [importName.name ?? '*'])
  }

  const ambient = new Set<Ambient>()
  const seen = { ambient, declaresFetch: false, usesFetch: false }
  walk(program as unknown as Node, (node, key) => {
    const specifier = importedBy(node)
    if (specifier !== undefined) add(specifier, node.type === 'TSImportType', ['*'])
    note(node, key, seen)
  })
  if (imports.some(({ target }) => target === 'process' || target === 'node:process')) ambient.add('process.env')
  // A module that has a `fetch` of its own was given one.
  if (seen.usesFetch && !seen.declaresFetch) ambient.add('fetch')
  return {
    path,
    lines: source.replace(/\n$/, '').split('\n').length,
    imports,
    ambient,
    hasDefaultExport: exported.some(({ exportName }) => exportName.kind === 'Default' || exportName.name === 'default'),
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'
}

function walk(node: Node, visit: (node: Node, key: string) => void, key = ''): void {
  visit(node, key)
  // A property of a pattern declares what its value names; one of an object uses it.
  const type = key === 'ObjectPattern.properties' ? 'PatternProperty' : node.type
  for (const [name, value] of Object.entries(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) walk(child, visit, `${type}.${name}`)
    }
  }
}

function isCalled(node: unknown, name: string): node is Node {
  return isNode(node) && node.type === 'Identifier' && node.name === name
}

/** `import('x')` in code and in types, and `require('x')`. */
function importedBy(node: Node): string | undefined {
  const request =
    node.type === 'ImportExpression' || node.type === 'TSImportType'
      ? node.source
      : node.type === 'CallExpression' && isCalled(node.callee, 'require')
        ? (node.arguments as unknown[])[0]
        : undefined
  return isNode(request) && typeof request.value === 'string' ? request.value : undefined
}

type Seen = { readonly ambient: Set<Ambient>; declaresFetch: boolean; usesFetch: boolean }

function note(node: Node, key: string, seen: Seen): void {
  if (node.type === 'MemberExpression') noteMember(node, seen)
  if (node.type === 'VariableDeclarator' && isCalled(node.init, 'process')) seen.ambient.add('process.env')
  if (isDateWithoutArguments(node)) seen.ambient.add('time')
  if (!isCalled(node, 'fetch')) return
  if (declaringPlaces.has(key)) seen.declaresFetch = true
  else if (!namingPlaces.has(key)) seen.usesFetch = true
}

/** Where an identifier brings a name into being. */
const declaringPlaces = new Set([
  'VariableDeclarator.id',
  'PatternProperty.value',
  'FunctionDeclaration.params',
  'FunctionDeclaration.id',
  'FunctionExpression.params',
  'ArrowFunctionExpression.params',
  'ImportSpecifier.local',
  'AssignmentPattern.left',
])

/** Where an identifier only names a property or a parameter of a type. */
const namingPlaces = new Set([
  'MemberExpression.property',
  'Property.key',
  'PatternProperty.key',
  'MethodDefinition.key',
  'PropertyDefinition.key',
  'TSPropertySignature.key',
  'TSMethodSignature.key',
  'TSFunctionType.params',
  'TSMethodSignature.params',
  'TSTypeQuery.exprName',
  'ImportSpecifier.imported',
  'ExportSpecifier.exported',
])

function noteMember(node: Node, seen: Seen): void {
  const property = isNode(node.property) ? (node.property.name ?? node.property.value) : undefined
  if (isCalled(node.object, 'process') && property === 'env') seen.ambient.add('process.env')
  if (isCalled(node.object, 'Date') && property === 'now') seen.ambient.add('time')
  if (isCalled(node.object, 'globalThis') && property === 'fetch') seen.ambient.add('fetch')
}

function isDateWithoutArguments(node: Node): boolean {
  const isCall = node.type === 'CallExpression' || node.type === 'NewExpression'
  return isCall && isCalled(node.callee, 'Date') && (node.arguments as unknown[]).length === 0
}
