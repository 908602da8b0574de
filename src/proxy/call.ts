import type { ServerResponse } from 'node:http'
import type { CallFacts } from '../insight/call.ts'
import { unread } from '../insight/read-message.ts'
import { noSpan, type Span } from '../kernel/tracing.ts'

/**
 * What is known of one request to an MCP endpoint before its headers are looked at. The front door makes one per
 * request and reads `principalId` for the access log.
 */
export type McpCall = CallFacts & {
  /** The request's path without the query: says whether the endpoint or its alias was called. */
  readonly path: string
  readonly requestId: string
  /** Begun once the caller is known. */
  span: Span
  /** Gives back the call's place among those under way, and who is to hear that its reader is gone. */
  leave: (() => void) | null
  relaying: { callerGone(): void } | null
}

/** The record of a request that has just come in. */
export function newCall(requestId: string, path: string, connectorId: string): McpCall {
  return {
    requestId,
    path,
    connectorId,
    tenantId: null,
    principalId: null,
    client: null,
    message: unread,
    isResolved: false,
    isForwarded: false,
    failure: null,
    span: noSpan,
    leave: null,
    relaying: null,
  }
}

/** A call and where its answer goes. */
export type Reply = {
  readonly call: McpCall
  readonly response: ServerResponse
  /** Headers that every answer to this call bears, names and values in turn: the request's id, CORS. */
  readonly headers: readonly string[]
}

/** Of all answers at the MCP endpoints: they are somebody's, and they are data. */
export const commonHeaders = ['cache-control', 'no-store, no-transform', 'x-content-type-options', 'nosniff'] as const

/** Writes a complete answer. Does nothing when the caller has gone or an answer has begun. */
export function writeAnswer(
  { response, headers }: Reply,
  answer: {
    readonly status: number
    readonly headers?: readonly string[]
    readonly body?: string
    /** Of the body, for bytes that are passed on as they are (default UTF-8). */
    readonly encoding?: 'latin1'
  },
): void {
  if (response.destroyed || response.headersSent) return
  const { status, body = '', encoding = 'utf8' } = answer
  const head = headers.concat(commonHeaders, answer.headers ?? [])
  // RFC 9110 section 8.6: no Content-Length with 204.
  if (status !== 204) head.push('content-length', String(Buffer.byteLength(body, encoding)))
  response.writeHead(status, head)
  response.end(body, encoding)
}
