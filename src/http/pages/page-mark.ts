import { html, type SafeHtml } from './html.ts'

/** Our mark: two jacks and the cable between them. Takes the colour of the text around it. */
export const mark: SafeHtml = html`<svg class="mark" viewBox="0 0 32 32" width="28" height="28" fill="none" stroke="currentColor" stroke-width="3" stroke-linecap="round" aria-hidden="true" focusable="false"><circle cx="8" cy="9" r="4.5"/><circle cx="24" cy="9" r="4.5"/><path d="M8 13.5v4a8 8 0 0 0 16 0v-4"/></svg>`

/** The same as a data URL, so that no browser asks for /favicon.ico. */
export const icon =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32' fill='none' stroke='%230d766c' stroke-width='3' stroke-linecap='round'%3E%3Ccircle cx='8' cy='9' r='4.5'/%3E%3Ccircle cx='24' cy='9' r='4.5'/%3E%3Cpath d='M8 13.5v4a8 8 0 0 0 16 0v-4'/%3E%3C/svg%3E"
