import { type Dispatcher, WebSocket } from 'undici'
import type { AddressPolicy } from './address-policy.ts'

export type OpenWebSocket = (
  url: URL,
  options: { readonly headers: Readonly<Record<string, string>>; readonly protocols: readonly string[] },
) => WebSocket

/**
 * Opens a WebSocket under the guard. An `https` URL stands for `wss`, `http` for `ws`, as in the WebSocket standard.
 *
 * @throws AppError `url_not_allowed`; what the guard finds out later ends the socket with an error event
 */
export function createOpenWebSocket(deps: { readonly policy: AddressPolicy; readonly dispatcher: Dispatcher }) {
  const open: OpenWebSocket = (url, { headers, protocols }) => {
    deps.policy.checkUrl(url)
    return new WebSocket(url, { dispatcher: deps.dispatcher, headers: { ...headers }, protocols: [...protocols] })
  }
  return open
}
