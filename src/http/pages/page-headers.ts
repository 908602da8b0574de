export type PageHeadersInput = {
  /** The nonce that the page's `<style>` carries: `randomToken()`, new for each response. */
  readonly nonce: string
  /** Whether `PUBLIC_URL` is https. HSTS over plain http is ignored by browsers, and wrong on localhost. */
  readonly isHttps: boolean
}

/**
 * The headers of every HTML page (security checklist AP-12, CB-11, CN-08).
 *
 * `form-action 'self'` also forbids a redirect after the POST to any other origin; hence the forwarding page.
 * With `no-referrer` browsers send `Origin: null` on form posts: judge those by `Sec-Fetch-Site`.
 */
export function pageHeaders({ nonce, isHttps }: PageHeadersInput): Readonly<Record<string, string>> {
  return {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': [
      "default-src 'none'",
      `style-src 'nonce-${nonce}'`,
      'img-src data:',
      "frame-ancestors 'none'",
      "base-uri 'none'",
      "form-action 'self'",
    ].join('; '),
    'X-Frame-Options': 'DENY',
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cache-Control': 'no-store',
    ...(isHttps ? { 'Strict-Transport-Security': 'max-age=31536000' } : {}),
  }
}
