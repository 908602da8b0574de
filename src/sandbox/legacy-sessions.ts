import { randomUUID } from 'node:crypto'
import {
  type AuthInfo,
  type McpServer,
  WebStandardStreamableHTTPServerTransport as SessionTransport,
} from '@modelcontextprotocol/server'
import { accountOf } from './account.ts'

export type LegacySessions = {
  fetch(request: Request, auth: AuthInfo): Promise<Response>
  close(): Promise<void>
}

type Session = { readonly transport: SessionTransport; readonly account: string }

const maxSessions = 500

/**
 * Sessions for clients of MCP 2025-11-25 and earlier: made by `initialize`, named by `Mcp-Session-Id`, with a GET
 * stream, ended by DELETE (MCP 2025-11-25, basic/transports, session management).
 *
 * A session belongs to the account that began it; for anyone else it does not exist. Of too many, the one that was
 * idle longest goes.
 */
export function createLegacySessions(createServer: () => McpServer): LegacySessions {
  const sessions = new Map<string, Session>()

  const touch = (id: string, session: Session): void => {
    sessions.delete(id)
    sessions.set(id, session)
    const [oldest] = sessions
    if (sessions.size > maxSessions && oldest !== undefined) {
      sessions.delete(oldest[0])
      void oldest[1].transport.close()
    }
  }

  const begin = async (account: string): Promise<SessionTransport> => {
    const transport: SessionTransport = new SessionTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => touch(id, { transport, account }),
      onsessionclosed: (id) => {
        sessions.delete(id)
      },
    })
    await createServer().connect(transport)
    return transport
  }

  return {
    async fetch(request, auth) {
      const account = accountOf(auth)
      const id = request.headers.get('mcp-session-id')
      if (id === null) {
        const transport = await begin(account)
        const response = await transport.handleRequest(request, { authInfo: auth })
        // Anything but an initialize was refused, and nobody can come back to it.
        if (transport.sessionId === undefined) await transport.close()
        return untilAborted(response, request.signal)
      }
      const session = sessions.get(id)
      if (session === undefined || session.account !== account) return sessionNotFound()
      touch(id, session)
      return untilAborted(await session.transport.handleRequest(request, { authInfo: auth }), request.signal)
    },

    async close() {
      await Promise.all([...sessions.values()].map((session) => session.transport.close()))
      sessions.clear()
    },
  }
}

/**
 * Ends the body when the client is gone. Otherwise the transport would believe a dropped GET stream open until its
 * next keep-alive, and answer 409 to the client that opens it again.
 *
 * Event streams begin with a comment: the Node adapter sends the headers with the first bytes, and a client would wait
 * for them until the first event.
 */
function untilAborted(response: Response, signal: AbortSignal): Response {
  if (response.body === null) return response
  const isEventStream = response.headers.get('content-type') === 'text/event-stream'
  const passOn = new TransformStream<Uint8Array, Uint8Array>({
    start(controller) {
      if (isEventStream) controller.enqueue(new TextEncoder().encode(': open\n\n'))
    },
  })
  return new Response(response.body.pipeThrough(passOn, { signal }), response)
}

/** 404 tells a client to initialise again (MCP 2025-11-25, basic/transports). */
function sessionNotFound(): Response {
  const error = { code: -32001, message: 'Session not found' }
  return Response.json({ jsonrpc: '2.0', error, id: null }, { status: 404 })
}
