import { isAppError } from '../kernel/app-error.ts'
import type { LegacyTransportKind, OpenLegacyTransport } from './legacy-transport.ts'
import type { ProbeRequest } from './probe.ts'
import type { ProbeOutcome } from './probe-observation.ts'

type Unauthorized = Extract<ProbeOutcome, { kind: 'unauthorized' }>

/** How an HTTP+SSE server may say what it is not, as the SDK's transport reports it. */
const statusOf = (error: unknown): number | null => {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'number' && code >= 400 && code <= 599 ? code : null
}

/**
 * Talks to a server of HTTP+SSE or WebSocket as a client would, within `totalMs`: `initialize`, and its tools where it has
 * some, since some servers refuse only then.
 */
export async function probeLegacyTransport(
  openTransport: OpenLegacyTransport,
  kind: LegacyTransportKind,
  { url, headers }: ProbeRequest,
  totalMs: number,
): Promise<ProbeOutcome> {
  // loaded at the first such server, not when a process starts
  const [{ Client }, { EmptyResultSchema }] = await Promise.all([
    import('@modelcontextprotocol/sdk/client/index.js'),
    import('@modelcontextprotocol/sdk/types.js'),
  ])
  // what is listed is not looked at
  const anything = EmptyResultSchema.loose()
  const seen: { refusal: Unauthorized | null } = { refusal: null }
  const client = new Client({ name: 'patchbay', version: '1.0.0' })
  const transport = openTransport({
    kind,
    url,
    headers: () => headers,
    onRefused: (status, challenge) => {
      seen.refusal = { kind: 'unauthorized', status, challenge }
    },
  })
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), totalMs)
  })
  const converse = async (): Promise<'done'> => {
    await client.connect(transport)
    if (client.getServerCapabilities()?.tools !== undefined) await client.request({ method: 'tools/list' }, anything)
    return 'done'
  }
  try {
    if ((await Promise.race([converse(), late])) === 'late') return seen.refusal ?? { kind: 'timeout' }
    const { name, version } = client.getServerVersion() ?? {}
    return {
      kind: 'ok',
      transport: kind,
      ...(name === undefined ? {} : { serverName: name.slice(0, 200) }),
      ...(version === undefined ? {} : { serverVersion: version.slice(0, 200) }),
    }
  } catch (error) {
    if (seen.refusal !== null) return seen.refusal
    if (isAppError(error, 'egress_blocked') || isAppError(error, 'url_not_allowed')) {
      return { kind: 'unreachable', isBlocked: true }
    }
    const status = statusOf(error)
    if (status !== null) return { kind: 'http_error', status }
    return isAppError(error) || kind === 'sse' ? { kind: 'unreachable' } : { kind: 'not_mcp' }
  } finally {
    clearTimeout(timer)
    await client.close().catch(() => undefined)
  }
}
