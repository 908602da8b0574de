import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

/** One time that a refresh token was presented. */
export type Presentation = {
  readonly connection: string
  readonly token: string
  /** Milliseconds since the epoch. */
  readonly at: number
  /** The loopback address that the request came to: which process sent it. */
  readonly address: string
  readonly answer: 'rotated' | 'replayed' | 'refused'
}

export type AuthorizationServers = {
  readonly port: number
  readonly presentations: readonly Presentation[]
  /** The first refresh token of a connection. */
  newFamily(connection: string): string
  /** Answers on one more address of loopback. */
  listenOn(address: string): Promise<void>
  close(): Promise<void>
}

type Family = {
  current: string
  previous: string | null
  rotatedAt: number
  isRevoked: boolean
  successor: string
}

type Options = {
  /** For how long a token that was used brings the same successor again, in milliseconds; 0: it ends the family. */
  readonly graceMs: number
  readonly tokenSeconds: number
  /** How long an answer takes. */
  readonly latencyMs: number
}

/**
 * Token endpoints of any number of authorization servers on one port, which rotate refresh tokens and write down every one
 * that is presented.
 */
export async function startAuthorizationServers(options: Options): Promise<AuthorizationServers> {
  const families = new Map<string, Family>()
  const presentations: Presentation[] = []
  const servers: Server[] = []
  let port = 0

  const redeem = (token: string, address: string): { status: number; body: string } => {
    const connection = token.split('.')[0] ?? ''
    const family = families.get(connection)
    const at = Date.now()
    const note = (answer: Presentation['answer']) => presentations.push({ connection, token, at, address, answer })
    if (family !== undefined && !family.isRevoked && token === family.current) {
      const next = `${connection}.${randomUUID()}`
      const successor = answerWith(next)
      Object.assign(family, { previous: token, current: next, rotatedAt: at, successor } satisfies Partial<Family>)
      note('rotated')
      return { status: 200, body: successor }
    }
    const isInGrace = family !== undefined && token === family.previous && at - family.rotatedAt < options.graceMs
    if (isInGrace && !family.isRevoked) {
      note('replayed')
      return { status: 200, body: family.successor }
    }
    if (family !== undefined) family.isRevoked = true
    note('refused')
    return { status: 400, body: '{"error":"invalid_grant"}' }
  }

  const answerWith = (refreshToken: string) =>
    JSON.stringify({
      access_token: `access.${randomUUID()}`,
      refresh_token: refreshToken,
      token_type: 'Bearer',
      expires_in: options.tokenSeconds,
    })

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { localAddress = '' } = request.socket
    let text = ''
    for await (const chunk of request) text += chunk
    const { status, body } = redeem(new URLSearchParams(text).get('refresh_token') ?? '', localAddress)
    await delay(options.latencyMs)
    response.writeHead(status, { 'content-type': 'application/json' }).end(body)
  }

  const listenOn = async (address: string): Promise<void> => {
    // whoever asked may be killed before it hears the answer
    const server = createServer((request, response) => void handle(request, response).catch(() => response.destroy()))
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(port, address, resolve)
    })
    const bound = server.address()
    if (port === 0 && bound !== null && typeof bound === 'object') port = bound.port
    servers.push(server)
  }
  await listenOn('127.0.0.1')

  return {
    port,
    presentations,
    newFamily(connection) {
      const current = `${connection}.${randomUUID()}`
      families.set(connection, { current, previous: null, rotatedAt: 0, isRevoked: false, successor: '' })
      return current
    },
    listenOn,
    async close() {
      for (const server of servers) {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      }
    },
  }
}
