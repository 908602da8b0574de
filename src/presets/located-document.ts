import { isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
import type { Mistake } from './presets-error.ts'

export type LocatedDocument = {
  /** What the text holds; undefined when `mistakes` is not empty. */
  readonly value: unknown
  readonly mistakes: readonly Mistake[]
  /** The line of what `path` leads to, or of the nearest thing around it that exists. */
  lineOf(path: readonly PropertyKey[]): number | undefined
}

/** Reads YAML 1.2 (core schema), keeping in mind which line holds what. */
export function readYaml(file: string, text: string): LocatedDocument {
  const { document, lineOf, mistakes } = parse(file, text)
  if (mistakes.length > 0) return { value: undefined, mistakes, lineOf }
  return { value: document.toJS(), mistakes, lineOf }
}

/** Reads JSON, keeping in mind which line holds what. A key that stands twice is a mistake. */
export function readJson(file: string, text: string): LocatedDocument {
  const { document, lineOf, mistakes } = parse(file, text)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // JSON.parse quotes the text around the mistake, which may be a secret: its message goes nowhere.
    return { value: undefined, mistakes: [{ file, line: mistakes[0]?.line, reason: 'not valid JSON' }], lineOf }
  }
  // Every JSON text is YAML; what remains is what JSON.parse forgives.
  const twice = document.errors.some((error) => error.code === 'DUPLICATE_KEY')
  return { value, mistakes: twice ? mistakes : [], lineOf }
}

function parse(file: string, text: string) {
  const lines = new LineCounter()
  // Pretty errors quote the text.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version: '1.2', schema: 'core' })
  const mistakes = [...document.errors, ...document.warnings].map(({ code, pos }): Mistake => {
    const reason = code === 'DUPLICATE_KEY' ? 'a key stands here twice' : `not valid YAML (${code})`
    return { file, line: lines.linePos(pos[0]).line, reason }
  })
  const lineOf = (path: readonly PropertyKey[]): number | undefined => {
    let node: unknown = document.contents
    let offset = isNode(node) ? node.range?.[0] : undefined
    for (const step of path) {
      if (isMap(node)) {
        const pair = node.items.find(({ key }) => isScalar(key) && key.value === step)
        if (pair === undefined) break
        if (isScalar(pair.key)) offset = pair.key.range?.[0] ?? offset
        node = pair.value
      } else if (isSeq(node) && typeof step === 'number') {
        node = node.items[step]
        if (isNode(node)) offset = node.range?.[0] ?? offset
      } else break
    }
    return offset === undefined ? undefined : lines.linePos(offset).line
  }
  return { document, lineOf, mistakes }
}
