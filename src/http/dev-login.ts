import type { Context } from 'koa'
import { isLoopbackOrigin } from '../kernel/resource-url.ts'

const forwardingHeaders = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip']
const loopbackAddress = /^(::1|(::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3})$/

/**
 * Whether a name is enough to be somebody. Only where nobody but this computer can ask: `PUBLIC_URL` is loopback, the request
 * came to it, from this machine, and not through a proxy or tunnel (which make every caller look local).
 */
export function isDevLoginAllowed(ctx: Context, publicUrl: URL): boolean {
  const isForwarded = forwardingHeaders.some((name) => ctx.get(name) !== '')
  const isLocal = loopbackAddress.test(ctx.req.socket.remoteAddress ?? '')
  return isLoopbackOrigin(publicUrl) && ctx.get('Host') === publicUrl.host && isLocal && !isForwarded
}
