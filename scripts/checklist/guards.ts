import { idsOfTitle } from './rows.ts'
import { descendants, isNode, type Node, parse } from './syntax.ts'

/** `// @guards src/egress/guarded-fetch.ts:redirectTarget` before a test: what makes its rows true. */
export type Guard = {
  readonly testFile: string
  readonly ids: readonly string[]
  readonly file: string
  readonly symbol: string
}

const pattern = /^\s*@guards\s+(\S+\.ts):([\w$]+)\s*$/

/**
 * Reads the `@guards` comments of a test file. Each belongs to the title that comes next, in a call of `it` or in a
 * table; several may stand before one title.
 *
 * @throws Error for a comment that cannot be read, or with no title behind it
 */
export function readGuards(testFile: string, source: string): Guard[] {
  if (!source.includes('@guards')) return []
  const { program, comments } = parse(testFile, source)
  const titles = [...descendants(program)].flatMap((node) => {
    const ids = idsOfTitle(textOf(node) ?? '')
    return ids.length === 0 ? [] : [{ ids, start: node.start }]
  })
  titles.sort((a, b) => a.start - b.start)
  return comments
    .filter(({ value }) => /^\s*@guards\b/.test(value))
    .map(({ value, end }) => {
      const [, file, symbol] = pattern.exec(value) ?? []
      const title = titles.find(({ start }) => start > end)
      if (file === undefined || symbol === undefined || title === undefined) {
        throw new Error(`${testFile}: "${value.trim()}" is not "@guards <file>.ts:<symbol>" before a title with an ID`)
      }
      return { testFile, ids: title.ids, file, symbol }
    })
}

/** The text of a literal, or the beginning of a template. */
function textOf(node: Node): string | undefined {
  if (node.type === 'Literal' && typeof node.value === 'string') return node.value
  if (node.type !== 'TemplateElement') return undefined
  const { value } = node
  return typeof value === 'object' &&
    value !== null &&
    'raw' in value &&
    typeof value.raw === 'string' &&
    !isNode(value)
    ? value.raw
    : undefined
}
