import { html, type SafeHtml } from './html.ts'

const frame = (path: string): SafeHtml =>
  html`<span class="badge"><svg viewBox="0 0 24 24" width="24" height="24" fill="none" stroke="currentColor" stroke-width="2.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false"><path d="${path}"/></svg></span>`

/** A tick: it worked. Decoration only; the heading says it in words. */
export const goodBadge = frame('M5 12.5l4.5 4.5L19 7.5')

/** An exclamation mark: it did not work. Decoration only. */
export const badBadge = frame('M12 6v7.5M12 17.5v.01')
