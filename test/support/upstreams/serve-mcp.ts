import { type Answer, respond, respondJson, respondResult } from './scripted-upstream.ts'

/** A script for `startScriptedUpstream`: just enough of a server of the legacy era, for anybody who asks. */
export function serveMcp({ body }: { readonly body: string }): Answer {
  const message = JSON.parse(body === '' ? '{}' : body)
  if (message.id === undefined) return respond(202)
  if (message.method !== 'initialize')
    return respondJson({ jsonrpc: '2.0', id: message.id, error: { code: -32601, message: 'Method not found' } })
  return respondResult({
    protocolVersion: message.params.protocolVersion,
    capabilities: {},
    serverInfo: { name: 'scripted', version: '1.0.0' },
  })
}
