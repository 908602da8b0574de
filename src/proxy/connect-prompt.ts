import { newId } from '../kernel/id.ts'
import { type Reply, writeAnswer } from './call.ts'
import type { JsonRpcMessage } from './json-rpc.ts'
import { canOpenLinks, readMessages } from './json-rpc.ts'
import type { NeedsConnection } from './ports.ts'
import type { RequestHead } from './request-headers.ts'
import { featuresOf } from './session-binding.ts'

/** JSON-RPC 2.0 section 5.1. */
const parseError = -32700
/** MCP 2025-11-25, elicitation, "URL elicitation required". */
const urlElicitationRequired = -32042
/**
 * From the range that JSON-RPC 2.0 section 5.1 leaves to implementations. Not -32000 to -32002, which clients read as
 * closed, timed out, and not found; not -32020 to -32022, by which clients tell eras.
 */
const connectionRequired = -32050
const versionWithUrlElicitation = '2025-11-25'

/** In every connect prompt, whatever its form: what programs go by. */
type PromptFacts = {
  readonly state: 'auth_required'
  readonly connector_id: string
  readonly reason: string
}

/**
 * Answers in the upstream's place while there is no usable grant: HTTP 200 and a JSON-RPC error that tells a person
 * what to do. Neither a 401, which would send the host into its own sign-in with us, nor a 5xx, which would look like
 * an outage (MCP checklist, G9).
 *
 * Notifications and answers of the client are accepted (202); there is no stream to open (405) nor anything to end
 * (204).
 */
export function writeConnectPrompt(
  reply: Reply,
  needs: NeedsConnection,
  request: { readonly method: string; readonly head: RequestHead; readonly body: Buffer },
): void {
  if (request.method === 'DELETE') writeAnswer(reply, { status: 204 })
  else if (request.method === 'GET') writeAnswer(reply, { status: 405, headers: ['allow', 'POST, DELETE'] })
  else writePromptMessages(reply, needs, request)
}

function writePromptMessages(
  reply: Reply,
  needs: NeedsConnection,
  { head, body }: { readonly head: RequestHead; readonly body: Buffer },
): void {
  const read = readMessages(body)
  if (read === null) {
    writeJson(reply, 400, { jsonrpc: '2.0', id: null, error: { code: parseError, message: 'This is not JSON-RPC.' } })
    return
  }
  const errors = read.messages
    .filter((message) => message.id !== undefined && message.method !== undefined)
    .map((message) => ({
      jsonrpc: '2.0',
      id: message.id,
      error: promptFor(needs, reply.call.connectorId, canElicitUrl(message, head)),
    }))
  const [first] = errors
  if (first === undefined) writeAnswer(reply, { status: 202 })
  else writeJson(reply, 200, read.isBatch ? errors : first)
}

const problems: Readonly<Record<NeedsConnection['lacks'], string>> = {
  grant: 'is not connected',
  scope: 'needs more permissions',
  scope_for_good: 'does not permit this',
}

/** What to do, as a sentence for the person who reads the error in a host. */
function promptText(needs: NeedsConnection): string {
  const action =
    needs.connectUrl !== null
      ? `Open this link to connect it, then try again: ${needs.connectUrl}`
      : needs.lacks === 'scope_for_good'
        ? ''
        : 'Ask an administrator to connect it.'
  const reason = needs.reason.endsWith('.') ? needs.reason : `${needs.reason}.`
  return `${needs.connectorName} ${problems[needs.lacks]}. ${reason} ${action}`.trim()
}

function promptFor(needs: NeedsConnection, connectorId: string, isUrlElicitable: boolean) {
  const message = promptText(needs)
  const facts: PromptFacts = { state: 'auth_required', connector_id: connectorId, reason: needs.reason }
  if (needs.connectUrl === null) return { code: connectionRequired, message, data: { 'patchbay/connection': facts } }
  const data = { 'patchbay/connection': { ...facts, url: needs.connectUrl } }
  if (!isUrlElicitable) return { code: connectionRequired, message, data }
  const elicitation = { mode: 'url', elicitationId: newId(), url: needs.connectUrl, message }
  return { code: urlElicitationRequired, message, data: { ...data, elicitations: [elicitation] } }
}

/** Only a client that said so, in the one revision that has it; in doubt the link stands in the text. */
function canElicitUrl(message: JsonRpcMessage, head: RequestHead): boolean {
  if (message.method === 'initialize') {
    return message.params?.protocolVersion === versionWithUrlElicitation && canOpenLinks(message)
  }
  return head.protocolVersion === versionWithUrlElicitation && featuresOf(head.sessionId).includes('e')
}

function writeJson(reply: Reply, status: number, body: unknown): void {
  writeAnswer(reply, { status, headers: ['content-type', 'application/json'], body: JSON.stringify(body) })
}
