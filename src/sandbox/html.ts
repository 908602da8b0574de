/** HTML from our own templates; texts from elsewhere become it only by way of `html`. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** A template in which every interpolated text is escaped; for element content and attributes in quotes. */
export function html(strings: TemplateStringsArray, ...values: readonly (string | Html)[]): Html {
  const rendered = values.map((value) =>
    value instanceof Html ? value.text : value.replace(/[&<>"']/g, (character) => entities[character] ?? character),
  )
  return new Html(strings.reduce((text, part, index) => `${text}${rendered[index - 1] ?? ''}${part}`))
}
