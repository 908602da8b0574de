import { createHash } from 'node:crypto'
import { Html, html } from './html.ts'
import { pageStyle } from './page-style.ts'

/**
 * Headers of the sandbox's pages. There is no `form-action` on purpose: Chromium applies it to redirects after a form
 * post too, and ours ends at whatever address the client registered.
 */
export const pageHeaders: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': [
    "default-src 'none'",
    `style-src 'sha256-${createHash('sha256').update(pageStyle).digest('base64')}'`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
}

/** A whole page around `content`. */
export function page(title: string, content: Html): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Sandbox</title>
<style>${new Html(pageStyle)}</style>
</head>
<body>
<div class="page">
<p class="brand"><span class="mark" aria-hidden="true"></span>Patchbay sandbox</p>
<main>
${content}
</main>
</div>
</body>
</html>
`.text
}
