import { type DefaultTreeAdapterTypes, parse } from 'parse5'

type Node = DefaultTreeAdapterTypes.Node
type Element = DefaultTreeAdapterTypes.Element

export type FormField = {
  readonly name: string
  /** The text of its label. */
  readonly label: string
  readonly kind: 'radio' | 'checkbox' | 'other'
  readonly value: string
  /** True when it would be sent as the page stands. */
  readonly isOn: boolean
}

export type FormButton = {
  readonly text: string
  readonly name: string
  readonly value: string
  readonly formAction: string | undefined
}

export type Form = {
  readonly action: string
  readonly method: 'GET' | 'POST'
  readonly fields: readonly FormField[]
  readonly buttons: readonly FormButton[]
}

/** What a browser without scripts can do with a page. */
export type HtmlDocument = {
  readonly title: string
  /** All that can be read, white space collapsed. */
  readonly text: string
  readonly forms: readonly Form[]
  readonly links: readonly { readonly text: string; readonly href: string }[]
  /** Target of `<meta http-equiv=refresh>`, when it has one and is due within five seconds. */
  readonly refresh: string | undefined
}

/** Reads a page with the parser that the HTML standard describes. */
export function readHtml(source: string): HtmlDocument {
  const all = [...elements(parse(source))]
  const named = (name: string): Element[] => all.filter((element) => element.tagName === name)
  const labels = named('label')
  const body = named('body')[0]
  const title = named('title')[0]
  return {
    title: title === undefined ? '' : textOf(title),
    text: body === undefined ? '' : textOf(body),
    forms: named('form').map((form) => readForm(form, labels)),
    links: named('a').map((link) => ({ text: textOf(link), href: attribute(link, 'href') ?? '' })),
    refresh: readRefresh(named('meta')),
  }
}

function readForm(form: Element, labels: readonly Element[]): Form {
  const inside = [...elements(form)].filter((element) => attribute(element, 'disabled') === undefined)
  return {
    action: attribute(form, 'action') ?? '',
    method: attribute(form, 'method')?.toLowerCase() === 'post' ? 'POST' : 'GET',
    fields: inside.flatMap((element) => readField(element, labels)),
    buttons: inside.filter(isSubmitButton).map((element) => ({
      text: element.tagName === 'input' ? (attribute(element, 'value') ?? '') : textOf(element),
      name: attribute(element, 'name') ?? '',
      value: attribute(element, 'value') ?? '',
      formAction: attribute(element, 'formaction'),
    })),
  }
}

function isSubmitButton(element: Element): boolean {
  const type = attribute(element, 'type')?.toLowerCase()
  if (element.tagName === 'button') return type === undefined || type === 'submit'
  return element.tagName === 'input' && type === 'submit'
}

function readField(element: Element, labels: readonly Element[]): FormField[] {
  const name = attribute(element, 'name')
  if (name === undefined || name === '') return []
  const label = labelOf(element, labels)
  if (element.tagName === 'textarea') return [{ name, label, kind: 'other', value: textOf(element), isOn: true }]
  if (element.tagName === 'select') {
    const options = [...elements(element)].filter((option) => option.tagName === 'option')
    const chosen = options.find((option) => attribute(option, 'selected') !== undefined) ?? options[0]
    const value = chosen === undefined ? '' : (attribute(chosen, 'value') ?? textOf(chosen))
    return [{ name, label, kind: 'other', value, isOn: chosen !== undefined }]
  }
  if (element.tagName !== 'input') return []
  const type = attribute(element, 'type')?.toLowerCase() ?? 'text'
  if (['submit', 'button', 'reset', 'image', 'file'].includes(type)) return []
  if (type === 'radio' || type === 'checkbox') {
    const value = attribute(element, 'value') ?? 'on'
    return [{ name, label, kind: type, value, isOn: attribute(element, 'checked') !== undefined }]
  }
  return [{ name, label, kind: 'other', value: attribute(element, 'value') ?? '', isOn: true }]
}

function labelOf(element: Element, labels: readonly Element[]): string {
  const id = attribute(element, 'id')
  const label = labels.find(
    (candidate) =>
      (id !== undefined && attribute(candidate, 'for') === id) || [...elements(candidate)].includes(element),
  )
  return label === undefined ? (attribute(element, 'aria-label') ?? '') : textOf(label)
}

function readRefresh(metas: readonly Element[]): string | undefined {
  for (const meta of metas) {
    if (attribute(meta, 'http-equiv')?.toLowerCase() !== 'refresh') continue
    const [, seconds, target] =
      /^\s*(\d+)[^;,]*[;,]\s*(?:url\s*=\s*)?(.+)$/i.exec(attribute(meta, 'content') ?? '') ?? []
    if (target !== undefined && Number(seconds) <= 5) return target.trim().replace(/^(['"])(.*)\1$/, '$2')
  }
  return undefined
}

function attribute(element: Element, name: string): string | undefined {
  return element.attrs.find((candidate) => candidate.name === name)?.value
}

function* elements(node: Node): Generator<Element> {
  if (!('childNodes' in node)) return
  for (const child of node.childNodes) {
    if ('tagName' in child) yield child
    yield* elements(child)
  }
}

function textOf(node: Node): string {
  return rawText(node).replace(/\s+/g, ' ').trim()
}

const inline = new Set(['a', 'abbr', 'b', 'code', 'em', 'i', 'kbd', 'label', 'small', 'span', 'strong', 'time'])

function rawText(node: Node): string {
  if ('value' in node) return node.value
  if (!('childNodes' in node)) return ''
  const text = node.childNodes.map(rawText).join('')
  if (!('tagName' in node) || inline.has(node.tagName)) return text
  return ['style', 'script'].includes(node.tagName) ? '' : ` ${text} `
}
