import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import { type JSONRPCMessage, JSONRPCMessageSchema } from '@modelcontextprotocol/sdk/types.js'
import { AppError } from '../kernel/app-error.ts'

/** As much of a WebSocket as is used here. */
type Socket = {
  readonly readyState: number
  send(text: string): void
  close(code?: number): void
  addEventListener(type: 'open' | 'close' | 'error', listener: (event: unknown) => void): void
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void
}

const openState = 1
const unsupportedData = 1003

/**
 * MCP over a WebSocket: one JSON-RPC message in each text frame, subprotocol `mcp`, as the SDK's own transport has it.
 * That one sends no headers and goes past the egress guard.
 */
export function createWebSocketTransport(open: () => Socket): Transport {
  let socket: Socket | null = null
  const transport: Transport = {
    start: () =>
      new Promise((resolve, reject) => {
        const opened = open()
        socket = opened
        const fail = () => {
          const error = new AppError('upstream_unreachable', 'the WebSocket could not be opened, or broke')
          reject(error)
          transport.onerror?.(error)
        }
        opened.addEventListener('open', () => resolve())
        opened.addEventListener('error', fail)
        opened.addEventListener('close', () => {
          reject(new AppError('upstream_unreachable', 'the WebSocket closed before it was open'))
          transport.onclose?.()
        })
        opened.addEventListener('message', ({ data }) => {
          const message = typeof data === 'string' ? readMessage(data) : null
          if (message !== null) transport.onmessage?.(message)
          else opened.close(unsupportedData)
        })
      }),
    async send(message) {
      if (socket?.readyState !== openState) throw new AppError('upstream_error', 'the WebSocket is closed')
      socket.send(JSON.stringify(message))
    },
    async close() {
      socket?.close()
    },
  }
  return transport
}

function readMessage(text: string): JSONRPCMessage | null {
  try {
    return JSONRPCMessageSchema.parse(JSON.parse(text))
  } catch {
    return null
  }
}
