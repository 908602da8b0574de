import type { NeedsConnection } from './ports.ts'

/** MCP 2025-11-25, elicitation, "URL elicitation required". */
const urlElicitationRequired = -32042
/**
 * From the range that JSON-RPC 2.0 section 5.1 leaves to implementations. Not -32000 to -32002, which clients read as
 * closed, timed out, and not found; not -32020 to -32022, by which clients tell eras.
 */
const connectionRequired = -32050

/** Where programs find the facts, whatever form the prompt has. */
const factsKey = 'patchbay/connection'
/** The one tool that stands in for the upstream's until there is a grant. */
export const connectTool = 'connect'
/** Names our question among those of an `input_required` result. */
export const connectInput = 'connect'

/** What a client can do with a prompt; `modern`: MCP 2026-07-28, without or with links that it opens for its user. */
export type PromptForm = 'text' | 'url_error' | 'modern_text' | 'modern_url'

/** A prompt as the member of a JSON-RPC answer. */
export type PromptAnswer = { readonly result: object } | { readonly error: object }

const problems: Readonly<Record<NeedsConnection['lacks'], string>> = {
  grant: 'is not connected',
  scope: 'needs more permissions',
  scope_for_good: 'does not permit this',
}

const sentence = (text: string) => (/[.!?]$/.test(text) ? text : `${text}.`)

/** What is wrong and what to do, in sentences for the person who reads them in a host. */
function promptText(needs: NeedsConnection): string {
  const problem = `${needs.connectorName} ${problems[needs.lacks]}. ${sentence(needs.reason)}`
  if (needs.connectUrl !== null) {
    return `${problem} Open this link in a browser to connect it, then try again: ${needs.connectUrl}`
  }
  return needs.lacks === 'scope_for_good' ? problem : `${problem} Ask an administrator to connect it.`
}

/** What the session as a whole is told: the model reads it before it picks a tool. */
export function promptInstructions(needs: NeedsConnection, isConnectable: boolean): string {
  const problem = `${needs.connectorName} ${problems[needs.lacks]} yet, so its tools are not here. ${sentence(needs.reason)}`
  return isConnectable
    ? `${problem} Call the tool "${connectTool}" to get the link with which the user connects it; the tools appear as soon as that is done.`
    : `${problem} Tell the user to ask an administrator to connect it.`
}

/** The one tool of the session that Patchbay answers itself. */
export function connectToolOf(needs: NeedsConnection, isConnectable: boolean) {
  return {
    name: connectTool,
    title: `Connect ${needs.connectorName}`,
    description: promptInstructions(needs, isConnectable),
    inputSchema: { type: 'object', properties: {}, additionalProperties: false },
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  }
}

type Call = {
  readonly connectorId: string
  /** True for `tools/call`, which has results that are read; other requests get errors. */
  readonly isToolCall: boolean
  /** True when the tool that was called is ours, so that a link is what was asked for and no failure. */
  readonly isConnectTool: boolean
  /** Names the question to the person, so that its end can be told (MCP 2025-11-25). */
  readonly elicitationId: string
  /** Comes back with the answer (MCP 2026-07-28). */
  readonly requestState: string
}

/**
 * One intent, to have a person connect, in the form that this client can show:
 * - `modern_url`: an `input_required` result that asks to open the link (MCP 2026-07-28, multi-round-trip requests);
 * - `url_error`: the error -32042 with the link (MCP 2025-11-25, elicitation);
 * - else a result of the tool, or an error, whose text holds the link.
 *
 * Callers who may not connect get no link in any form.
 */
export function promptAnswer(needs: NeedsConnection, form: PromptForm, call: Call): PromptAnswer {
  const message = promptText(needs)
  const url = needs.connectUrl
  const facts = {
    [factsKey]: {
      state: 'auth_required',
      connector_id: call.connectorId,
      reason: needs.reason,
      ...(url === null ? {} : { url }),
    },
  }
  if (url !== null && form === 'url_error') {
    const elicitations = [{ mode: 'url', elicitationId: call.elicitationId, url, message }]
    return { error: { code: urlElicitationRequired, message, data: { ...facts, elicitations } } }
  }
  if (url !== null && form === 'modern_url' && call.isToolCall) {
    const question = { method: 'elicitation/create', params: { mode: 'url', url, message } }
    return {
      result: {
        resultType: 'input_required',
        inputRequests: { [connectInput]: question },
        requestState: call.requestState,
        _meta: facts,
      },
    }
  }
  if (!call.isToolCall) return { error: { code: connectionRequired, message, data: facts } }
  const isFailure = !call.isConnectTool || url === null
  return { result: toolResult(message, isFailure, form.startsWith('modern'), facts) }
}

/** The result of a tool as text. */
export function toolResult(words: string, isError: boolean, isModern: boolean, meta?: object): object {
  return {
    content: [{ type: 'text', text: words }],
    ...(isError ? { isError } : {}),
    ...(isModern ? { resultType: 'complete' } : {}),
    ...(meta === undefined ? {} : { _meta: meta }),
  }
}
