import { shellWord } from './shown-path.ts'

export type WalkthroughFacts = {
  readonly publicUrl: URL
  /** The file that holds a key; null when there is none: the first line then makes one. */
  readonly keyFile: string | null
  readonly sandboxUrl: string
}

/** The command that makes a key, for people in a checkout. */
export const makeKey = 'npx patchbay api-keys create --label me --role admin'

/**
 * The steps from a fresh start to a tool call, as lines for bash, zsh or sh with curl and node. They may be pasted one by
 * one or all at once (they wait for the person in the browser), and may be run again: a connector that exists is found, one
 * that is connected stays so. A test runs exactly these lines.
 */
export function walkthroughLines({ publicUrl, keyFile, sandboxUrl }: WalkthroughFacts): string[] {
  const json = `-H 'Content-Type: application/json'`
  const auth = `-H "Authorization: Bearer $PATCHBAY_KEY"`
  const key = keyFile === null ? `$(${makeKey})` : `$(cat ${shellWord(keyFile)})`
  const connectors = '$PATCHBAY/api/v1/connectors'
  const input = 'JSON.parse(fs.readFileSync(0))'
  const call = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: {
      name: 'whoami',
      arguments: {},
      _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientInfo': { name: 'curl', version: '1' },
        'io.modelcontextprotocol/clientCapabilities': {},
      },
    },
  })
  const mcp = `${json} -H 'Accept: application/json, text/event-stream' -H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: tools/call' -H 'Mcp-Name: whoami'`
  // Comments hold nothing that a shell could take amiss: zsh reads them as commands when it is typed into.
  return [
    '# 1. the key, and where Patchbay is',
    `export PATCHBAY_KEY=${key} PATCHBAY=${publicUrl.origin}`,
    '# 2. register the sandbox as a connector, or find the one that is there already',
    `curl -sS -X POST ${connectors} ${auth} ${json} -d '{"url":"${sandboxUrl}"}'; echo`,
    `ID=$(curl -sS "${connectors}?url=${sandboxUrl}" ${auth} | node -pe '${input}.items[0].id')`,
    '# 3. connect it: open the link in a browser, press Continue, choose an account, authorize',
    `curl -sS -X POST ${connectors}/$ID/connect ${auth} | node -pe 'const { state, auth_request } = ${input}; auth_request ? "Open " + auth_request.authorization_endpoint : state'`,
    '# 4. wait until that is done',
    `until curl -sS ${connectors}/$ID ${auth} | grep -q '"state": *"connected"'; do sleep 1; done`,
    '# 5. call a tool through it',
    `curl -sS $PATCHBAY/connectors/$ID/mcp ${auth} ${mcp} -d '${call}'; echo`,
  ]
}
