/** HTML that came out of our own templates. Only `html` makes it, so a value of this type needs no second look. */
export class SafeHtml {
  readonly #text: string

  private constructor(text: string) {
    this.#text = text
  }

  /** Used by `html` only. */
  static fromTemplate(strings: TemplateStringsArray, values: readonly HtmlValue[]): SafeHtml {
    let text = ''
    for (const [index, part] of strings.raw.entries()) {
      text += part
      if (index < values.length) {
        // Escaping does not help outside quotes: `<a title=${name}>` would let a space begin a new attribute.
        if (part.endsWith('=')) throw new TypeError('an attribute value in an html template must stand in quotes')
        text += renderValue(values[index])
      }
    }
    return new SafeHtml(text)
  }

  toString(): string {
    return this.#text
  }
}

/** What may stand in `${}`: text is escaped, templates are kept, arrays are joined, nothing stays nothing. */
export type HtmlValue = string | number | SafeHtml | null | undefined | false | readonly HtmlValue[]

/**
 * A template of HTML in which every interpolated text is escaped, for element content and for attributes in
 * quotes alike. Not for the inside of `<script>`, `<style>` or comments, which follow other rules.
 */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): SafeHtml {
  return SafeHtml.fromTemplate(strings, values)
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
}

/** Text as HTML element content or as an attribute value in quotes (OWASP XSS prevention rules 1 and 2). */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"'`]/g, (character) => entities[character] ?? character)
}

function renderValue(value: HtmlValue): string {
  if (value === null || value === undefined || value === false) return ''
  if (value instanceof SafeHtml) return value.toString()
  if (typeof value === 'string') return escapeHtml(value)
  if (typeof value === 'number') return String(value)
  return value.map(renderValue).join('')
}
