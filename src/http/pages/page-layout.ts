import { html, type SafeHtml } from './html.ts'
import { icon, mark } from './page-mark.ts'
import { pageStyle } from './page-style.ts'

export type PageLayout = {
  /** The document's title, of our own words. */
  readonly title: string
  readonly nonce: string
  /** Whether the page brings good or bad news; colours the badge. */
  readonly tone?: 'good' | 'bad'
  /** More for `<head>`. */
  readonly head?: SafeHtml
  /** What stands inside `<main>`, beginning with its `<h1>`. */
  readonly main: SafeHtml
}

/** The frame of every page: a complete HTML document that needs no script and nothing from elsewhere. */
export function renderPage({ title, nonce, tone, head, main }: PageLayout): string {
  const document = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex, nofollow">
<title>${title}</title>
<link rel="icon" href="${icon}">
${head}<style nonce="${nonce}">${pageStyle}</style>
</head>
<body>
<div class="page">
<header class="brand">${mark}<span>Patchbay</span></header>
<main class="${tone ?? 'plain'}">
${main}
</main>
</div>
</body>
</html>
`
  return document.toString()
}
