/**
 * Whether a page's `Content-Security-Policy` lets a form of it lead to `target` (CSP level 3, form-action). As in Chromium
 * it is asked again for each redirect that follows the post: the trap that consent pages fall into.
 */
export function allowsFormTarget(policy: string | null, page: URL, target: URL): boolean {
  const directive = (policy ?? '')
    .split(';')
    .map((part) => part.trim().split(/\s+/))
    .find(([name]) => name?.toLowerCase() === 'form-action')
  if (directive === undefined) return true
  return directive.slice(1).some((source) => {
    if (source === "'self'") return target.origin === page.origin
    if (source === '*') return target.protocol === 'http:' || target.protocol === 'https:'
    if (/^[a-z][a-z0-9+.-]*:$/i.test(source)) return target.protocol === source.toLowerCase()
    return URL.canParse(source) && new URL(source).origin === target.origin
  })
}
