import { html } from './html.ts'
import { page } from './page-layout.ts'

export type Notice = { readonly title: string; readonly text: string; readonly hint: string }

/** A page that says something and asks nothing: what happened, and what to do next. */
export function noticePage({ title, text, hint }: Notice): string {
  return page(title, html`<h1>${title}</h1>\n<p>${text}</p>\n<p class="soft">${hint}</p>`)
}
