/** Whether a client at these addresses may be used here at all. */
export type TrustsAddresses = (uris: readonly string[]) => boolean

type Policy = {
  /** Hosts (`claude.ai`), hosts below one (`*.example.com`) and private schemes (`cursor:`); undefined: all. */
  readonly allow: readonly string[] | undefined
  readonly deny: readonly string[]
}

/**
 * The operator's word on client hosts (RG-14). A client with a metadata document is judged by the address of the document, one
 * that registered itself by all its redirects. What is denied stays denied, whatever is allowed.
 */
export function createClientTrust({ allow, deny }: Policy): TrustsAddresses {
  const isTrusted = (uri: string): boolean => {
    if (!URL.canParse(uri)) return false
    const url = new URL(uri)
    const matches = (entry: string) => matchesEntry(url, entry.toLowerCase())
    return !deny.some(matches) && (allow === undefined || allow.some(matches))
  }
  return (uris) => uris.every(isTrusted)
}

function matchesEntry({ protocol, hostname }: URL, entry: string): boolean {
  if (protocol !== 'https:' && protocol !== 'http:') return protocol === entry
  // a name with a dot at its end is the same host
  const host = hostname.replace(/\.$/, '')
  return entry.startsWith('*.') ? host.endsWith(entry.slice(1)) : host === entry
}
