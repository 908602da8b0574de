import { isIP } from 'node:net'

type Connection = {
  readonly rawHeaders: readonly string[]
  readonly socket: { readonly remoteAddress?: string | undefined }
}

const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i

/**
 * The address of a client, past a fixed number of proxies in front of us. Each of them adds whom it was asked by at the end of
 * `X-Forwarded-For`, so exactly the last `proxies` entries are theirs; what stands before them the client may have written
 * itself, and is not read. A request that passed fewer proxies, or a list that holds no address there, goes by the socket.
 */
export function clientAddress({ rawHeaders, socket }: Connection, proxies: number): string {
  const own = plain(socket.remoteAddress ?? '')
  if (proxies === 0) return own
  const entries: string[] = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === 'x-forwarded-for')
      entries.push(...(rawHeaders[index + 1] ?? '').split(','))
  }
  const address = withoutPort(entries.at(-proxies)?.trim() ?? '')
  return isIP(address) === 0 ? own : plain(address)
}

/** Some proxies write the port too: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function withoutPort(entry: string): string {
  return /^\[([^\]]+)\](?::\d+)?$/.exec(entry)?.[1] ?? /^([^:]+):\d+$/.exec(entry)?.[1] ?? entry
}

/** An IPv4 address is one, also where an IPv6 socket received it. */
function plain(address: string): string {
  return mapped.exec(address)?.[1] ?? address
}
