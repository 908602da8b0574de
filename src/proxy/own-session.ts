import { createHash } from 'node:crypto'
import { productVersion } from '../config/product-version.ts'
import { isAppError } from '../kernel/app-error.ts'
import type { Changes } from '../kernel/changes.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Principal } from '../kernel/principal.ts'
import { randomToken } from '../kernel/secret.ts'
import type { Vault } from '../vault/vault.ts'
import { type Reply, writeAnswer } from './call.ts'
import {
  connectInput,
  connectTool,
  connectToolOf,
  type PromptForm,
  promptAnswer,
  promptInstructions,
  toolResult,
} from './connect-prompt.ts'
import { detailOf } from './failures.ts'
import { canOpenLinks, type JsonRpcMessage, modernVersionOf, readMessages } from './json-rpc.ts'
import type { ProxyLimits } from './limits.ts'
import { createOwnStreams } from './own-streams.ts'
import type { BeginConnect, NeedsConnection, ResolveUpstream } from './ports.ts'
import type { RequestHead } from './request-headers.ts'
import { createRequestStates, mayHoldState } from './request-state.ts'
import { featuresOf, type SessionBinding, type SessionOwner } from './session-binding.ts'

const modernVersion = '2026-07-28'
const versionWithUrlElicitation = '2025-11-25'
const legacyVersions = [versionWithUrlElicitation, '2025-06-18', '2025-03-26', '2024-11-05', '2024-10-07']
/** JSON-RPC 2.0 section 5.1; MCP 2026-07-28, "Unsupported protocol version". */
const codes = { parse: -32700, method: -32601, params: -32602, version: -32022 }

type Deps = {
  readonly resolveUpstream: ResolveUpstream
  readonly beginConnect: BeginConnect
  readonly changes: Changes
  readonly sessions: SessionBinding
  readonly vault: Vault
  readonly clock: Clock
  readonly limits: ProxyLimits
}

/** A request to an endpoint whose connection cannot be used. */
export type OwnRequest = {
  readonly reply: Reply
  readonly principal: Principal
  readonly method: string
  readonly head: RequestHead
  readonly body: Buffer
}

/** What to do with a request that brings an answer to a question of ours. */
export type Settled = { readonly kind: 'answered' } | { readonly kind: 'relay'; readonly body: Buffer }

type Answer = { readonly status?: number; readonly headers?: readonly string[]; readonly member: object }

/**
 * Answers in the upstream's place while there is no usable grant: HTTP 200, with a session of our own that has one tool,
 * `connect`. Neither a 401, which would send the host into its own sign-in with us, nor a 5xx, which would look like an
 * outage (MCP checklist, G9). Once the connection can be used the session hears that its tools have changed; its next
 * request is refused as any other unknown session's (404), so that the client begins one with the upstream.
 *
 * Nothing is kept: the session's id is bound to caller and connector, the state of a question is sealed.
 */
export function createOwnSession(deps: Deps) {
  const { resolveUpstream, beginConnect, sessions, limits } = deps
  const states = createRequestStates(deps)
  const streams = createOwnStreams(deps)

  async function answer(request: OwnRequest, needs: NeedsConnection): Promise<void> {
    const { reply, method, head, principal } = request
    const isOwn = head.sessionId !== null && sessions.open(ownerOf(request), head.sessionId) !== null
    if (method === 'DELETE') return writeAnswer(reply, { status: 204 })
    if (method === 'GET') {
      if (!isOwn) return writeAnswer(reply, { status: 405, headers: ['allow', 'POST, DELETE'] })
      const wait = { principal, connectorId: reply.call.connectorId, grantEpoch: null }
      const elicitationId = elicitationIdOf(head.sessionId ?? '')
      const last = [
        ...(canElicit(head) ? [notification('elicitation/complete', { elicitationId })] : []),
        notification('tools/list_changed'),
      ]
      return streams.run(wait, reply, { first: [], last })
    }
    const read = readMessages(request.body)
    if (read === null) {
      const error = { code: codes.parse, message: 'This is not JSON-RPC.' }
      return writeJson(reply, { status: 400, member: { error } }, null)
    }
    const asked = read.messages.filter((message) => message.id !== undefined && message.method !== undefined)
    const [first] = asked
    if (first === undefined) return writeAnswer(reply, { status: 202 })
    if (read.isBatch) {
      const members = await Promise.all(asked.map((message) => answerTo(message, request, needs)))
      const body = members.map(({ member }, index) => ({ jsonrpc: '2.0', id: asked[index]?.id, ...member }))
      return writeAnswer(reply, { status: 200, headers: jsonHeaders, body: JSON.stringify(body) })
    }
    if (first.method === 'tools/list' && head.sessionId !== null && !isOwn) {
      // a session with the upstream that outlived its grant: its client is to begin one with us
      return writeJson(reply, { status: 404, member: { error: { code: -32001, message: 'Session not found' } } }, null)
    }
    if (first.method === 'subscriptions/listen' && needs.lacks === 'grant' && modernVersionOf(first) !== null) {
      return listen(request, first)
    }
    return writeJson(reply, await answerTo(first, request, needs), first.id ?? null)
  }

  async function answerTo(message: JsonRpcMessage, request: OwnRequest, needs: NeedsConnection): Promise<Answer> {
    const version = modernVersionOf(message)
    const modern = version === null ? {} : modernFields(needs)
    const isConnectable = needs.connectUrl !== null || needs.isConnectable
    if (version !== null && version !== modernVersion) {
      const data = { supported: [modernVersion], requested: version }
      return { status: 400, member: { error: { code: codes.version, message: 'Unsupported protocol version', data } } }
    }
    if (message.method === 'ping') return { member: { result: version === null ? {} : { resultType: 'complete' } } }
    // with a grant that is only not enough, the session is the upstream's
    if (needs.lacks === 'grant') {
      const described = {
        capabilities: { tools: { listChanged: true } },
        instructions: promptInstructions(needs, isConnectable),
      }
      const serverInfo = { name: needs.connectorName, version: productVersion() }
      switch (message.method) {
        case 'initialize': {
          const asked = message.params?.protocolVersion ?? ''
          const protocolVersion = legacyVersions.includes(asked) ? asked : versionWithUrlElicitation
          const id = sessions.bind(ownerOf(request), randomToken(), canOpenLinks(message) ? 'e' : '-')
          return {
            headers: id === null ? [] : ['mcp-session-id', id],
            member: { result: { protocolVersion, serverInfo, ...described } },
          }
        }
        case 'server/discover':
          return { member: { result: { supportedVersions: [modernVersion], ...described, ...modernFields(needs) } } }
        case 'tools/list':
          return { member: { result: { tools: [connectToolOf(needs, isConnectable)], ...modern } } }
      }
      if (version !== null && message.method !== undefined && !askable.has(message.method)) {
        return { status: 404, member: { error: { code: codes.method, message: 'Method not found' } } }
      }
    }
    return { member: await prompt(message, request, needs) }
  }

  /** The prompt itself; a caller who may connect, and has no link yet, gets one made. */
  async function prompt(message: JsonRpcMessage, request: OwnRequest, needs: NeedsConnection): Promise<object> {
    const { principal, reply, head } = request
    const { connectorId } = reply.call
    const form = formFor(message, head)
    const isToolCall = message.method === 'tools/call'
    const isConnectTool = isToolCall && message.params?.name === connectTool
    let current = needs
    if (isToolCall && needs.lacks === 'grant' && needs.connectUrl === null && needs.isConnectable) {
      try {
        const resolution = await beginConnect(principal, connectorId)
        if (resolution.kind === 'usable') {
          return { result: toolResult(connectedText(needs.connectorName), !isConnectTool, form.startsWith('modern')) }
        }
        current = resolution
      } catch (error) {
        if (!isAppError(error)) throw error
        const words = `${needs.connectorName} could not be connected. ${detailOf(error)}`
        return { result: toolResult(words, true, form.startsWith('modern')) }
      }
    }
    return promptAnswer(current, form, {
      connectorId,
      isToolCall,
      isConnectTool,
      elicitationId: elicitationIdOf(head.sessionId ?? randomToken()),
      requestState: states.seal(principal, connectorId, { grantEpoch: current.grantEpoch }),
    })
  }

  function listen({ principal, reply }: OwnRequest, { id }: JsonRpcMessage): Promise<void> {
    const _meta = { 'io.modelcontextprotocol/subscriptionId': id }
    const wait = { principal, connectorId: reply.call.connectorId, grantEpoch: null }
    return streams.run(wait, reply, {
      first: [notification('subscriptions/acknowledged', { notifications: { toolsListChanged: true }, _meta })],
      last: [
        notification('tools/list_changed', { _meta }),
        { jsonrpc: '2.0', id, result: { resultType: 'complete', _meta } },
      ],
    })
  }

  /**
   * Looks whether a request brings the answer to a question of ours (MCP 2026-07-28, `requestState`). If it does, waits a
   * while for the person to finish, and takes our part out of the request, since the upstream never asked for it.
   *
   * @returns null for every other request
   */
  async function settle(request: OwnRequest): Promise<Settled | null> {
    const { reply, principal, body } = request
    const [message] = readMessages(body)?.messages ?? []
    const sealed = message?.params?.requestState
    if (message === undefined || sealed === undefined) return null
    const { connectorId } = reply.call
    const state = states.open(principal, connectorId, sealed)
    const answered = (result: object): Settled => {
      writeJson(reply, { member: result }, message.id ?? null)
      return { kind: 'answered' }
    }
    if (state === null) {
      const error = { code: codes.params, message: 'Invalid or expired requestState' }
      return answered({ error })
    }
    const resolution = await resolveUpstream(principal, connectorId)
    const isRefused = actionOf(message) !== 'accept'
    if (isRefused) return answered({ result: toolResult('It was not connected: the link was not opened.', true, true) })
    const isReady = await streams.untilUsable({ principal, connectorId, ...state }, reply, limits.connectWaitMs)
    if (!isReady) {
      const needs = resolution.kind === 'needs_connection' ? resolution : null
      const link = needs?.connectUrl == null ? '' : ` The link is still good: ${needs.connectUrl}`
      return answered({
        result: toolResult(`It is not connected yet. Try again when that is done.${link}`, true, true),
      })
    }
    if (message.params?.name === connectTool) {
      return answered({ result: toolResult(connectedText(null), false, true) })
    }
    return { kind: 'relay', body: withoutAnswer(body) }
  }

  const ownerOf = ({ principal, reply }: OwnRequest): SessionOwner => ({
    principal,
    connectionId: `none:${reply.call.connectorId}`,
  })

  return { answer, settle, retireStreams: streams.retireAll, stop: streams.stop }
}

const jsonHeaders = ['content-type', 'application/json'] as const
/** Modern requests that a prompt can answer; what else there is does not exist in our session. */
const askable = new Set(['tools/call', 'prompts/get', 'resources/read'])

const connectedText = (name: string | null) =>
  `${name ?? 'It'} is connected now. Its tools are there: list them again, then go on.`

const notification = (name: string, params?: object) => ({
  jsonrpc: '2.0',
  method: `notifications/${name}`,
  ...(params === undefined ? {} : { params }),
})

const modernFields = ({ connectorName }: NeedsConnection) => ({
  resultType: 'complete',
  ttlMs: 0,
  cacheScope: 'private',
  _meta: { 'io.modelcontextprotocol/serverInfo': { name: connectorName, version: productVersion() } },
})

function formFor(message: JsonRpcMessage, head: RequestHead): PromptForm {
  if (modernVersionOf(message) !== null) return canOpenLinks(message) ? 'modern_url' : 'modern_text'
  const isTold =
    message.method === 'initialize'
      ? message.params?.protocolVersion === versionWithUrlElicitation && canOpenLinks(message)
      : canElicit(head)
  return isTold ? 'url_error' : 'text'
}

/** True when a request may bring the answer to a question of ours: a cheap look, for every call. */
export function mayAnswerUs({ protocolVersion }: RequestHead, body: Buffer): boolean {
  return protocolVersion === modernVersion && mayHoldState(body)
}

/** Only a client that said so, in the one revision that has it; in doubt the link stands in the text. */
const canElicit = (head: RequestHead) =>
  head.protocolVersion === versionWithUrlElicitation && featuresOf(head.sessionId).includes('e')

/** The same for one session in every process, so that its end can be told by whichever holds the stream. */
const elicitationIdOf = (sessionId: string) =>
  createHash('sha256').update(`elicitation\n${sessionId}`).digest('base64url').slice(0, 22)

function actionOf({ params }: JsonRpcMessage): unknown {
  const response = params?.inputResponses?.[connectInput]
  return typeof response === 'object' && response !== null && 'action' in response ? response.action : undefined
}

/** The request as it was before our question. */
function withoutAnswer(body: Buffer): Buffer {
  const message = JSON.parse(body.toString('utf8'))
  const { requestState: _state, inputResponses: _responses, ...params } = message.params
  return Buffer.from(JSON.stringify({ ...message, params }))
}

function writeJson(reply: Reply, { status = 200, headers = [], member }: Answer, id: string | number | null): void {
  const body = JSON.stringify({ jsonrpc: '2.0', id, ...member })
  writeAnswer(reply, { status, headers: [...jsonHeaders, ...headers], body })
}
