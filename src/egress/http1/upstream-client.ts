import { createGuardedOpener, type GuardedConnectorOptions, type OpenSocket } from '../guarded-connector.ts'
import { Connection, type ConnectionOwner } from './connection.ts'
import type { AnswerHandler, UpstreamClient, UpstreamRequest } from './exchange.ts'
import { RunningExchange } from './running-exchange.ts'

/** How often idle connections are looked at. One timer for all: one for each would cost more than the look. */
const beatMs = 500
/** Where the other side does not say how long it keeps an idle connection. */
const defaultKeptSeconds = 4
/** It begins to count before we do, and what we send takes a while to arrive. */
const marginSeconds = 2
const maxKeptSeconds = 60
/** Of all upstreams. */
const maxIdle = 1024

/** Connections to one origin. */
type Origin = {
  readonly host: string
  readonly open: OpenSocket
  /** The last one to be used comes first: it is the least likely to have been closed meanwhile. */
  readonly idle: Idle[]
  /** Of all connections, with those that are being opened. */
  count: number
}
type Idle = { readonly connection: Connection; readonly untilBeat: number }

/**
 * HTTP/1.1 for relayed calls, one request at a time on a connection, as many connections as there are calls (how many calls there
 * may be is for others to say). See `UpstreamClient` for what it promises.
 */
export function createUpstreamClient(options: GuardedConnectorOptions): UpstreamClient & { destroy(): void } {
  const origins = new Map<string, Origin>()
  const connections = new Set<Connection>()
  let idleCount = 0
  let isDestroyed = false
  let beat = 0
  const timer = setInterval(closeIdle, beatMs)
  timer.unref()

  function originOf(key: string): Origin {
    const known = origins.get(key)
    if (known !== undefined) return known
    const url = new URL(key)
    const origin: Origin = { host: url.host, open: createGuardedOpener(url, options), idle: [], count: 0 }
    origins.set(key, origin)
    return origin
  }

  function takeIdle(origin: Origin): Connection | null {
    for (;;) {
      const last = origin.idle.pop()
      if (last === undefined) return null
      idleCount -= 1
      if (last.connection.isUsable) return last.connection
    }
  }

  /** With others of the same turn of the event loop: a send that wakes its reader costs several times one that does not. */
  function start(key: string, exchange: RunningExchange): void {
    if (exchange.isOver || isDestroyed) return
    try {
      const origin = originOf(key)
      const connection = takeIdle(origin)
      if (connection === null) connect(origin, exchange)
      else exchange.begin(connection)
    } catch (error) {
      exchange.onFailure(error)
    }
  }

  function connect(origin: Origin, exchange: RunningExchange): void {
    origin.count += 1
    const owner: ConnectionOwner = {
      onIdle: (connection, keptSeconds) => keep(origin, connection, keptSeconds),
      onClosed: (connection) => {
        connections.delete(connection)
        origin.count -= 1
      },
    }
    let connection: Connection | null = null
    origin.open(
      (bytes) => connection?.read(bytes) ?? false,
      (error, socket) => {
        if (error !== null) {
          origin.count -= 1
          exchange.onFailure(error)
          return
        }
        connection = new Connection(socket, owner)
        connections.add(connection)
        if (exchange.isOver) keep(origin, connection, null)
        else exchange.begin(connection)
      },
    )
  }

  function keep(origin: Origin, connection: Connection, keptSeconds: number | null): void {
    const seconds = keptSeconds === null ? defaultKeptSeconds : Math.min(keptSeconds - marginSeconds, maxKeptSeconds)
    if (seconds <= 0 || idleCount >= maxIdle) {
      connection.destroy()
      return
    }
    idleCount += 1
    origin.idle.push({ connection, untilBeat: beat + (seconds * 1000) / beatMs })
  }

  function closeIdle(): void {
    beat += 1
    for (const [key, origin] of origins) {
      const kept = origin.idle.filter(({ connection, untilBeat }) => {
        if (untilBeat >= beat && connection.isUsable) return true
        connection.destroy()
        return false
      })
      if (kept.length < origin.idle.length) {
        idleCount -= origin.idle.length - kept.length
        origin.idle.splice(0, origin.idle.length, ...kept)
      }
      if (origin.count === 0) origins.delete(key)
    }
  }

  return {
    dispatch(request: UpstreamRequest, handler: AnswerHandler) {
      const exchange = new RunningExchange(request, originOf(request.origin).host, handler)
      setImmediate(start, request.origin, exchange)
      return exchange
    },
    destroy() {
      isDestroyed = true
      clearInterval(timer)
      for (const connection of connections) connection.destroy()
    },
  }
}
