export type WalkthroughFacts = {
  readonly publicUrl: URL
  /** How the shell gets the key: a command substitution or a placeholder. */
  readonly keyExpression: string
  readonly sandboxUrl: string
}

/**
 * The five steps from a fresh start to a tool call, as lines for a shell with curl and node. They may be run again: a
 * connector that exists is found, one that is connected stays so. A test runs exactly these lines.
 */
export function walkthroughLines({ publicUrl, keyExpression, sandboxUrl }: WalkthroughFacts): string[] {
  const json = `-H 'Content-Type: application/json'`
  const auth = `-H "Authorization: Bearer $PATCHBAY_KEY"`
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
  return [
    '# 1. the key and the address',
    `export PATCHBAY_KEY=${keyExpression} PATCHBAY=${publicUrl.origin}`,
    '# 2. register the sandbox as a connector (on a second run: find it)',
    `curl -sS -X POST $PATCHBAY/api/v1/connectors ${auth} ${json} -d '{"url":"${sandboxUrl}"}'; echo`,
    `ID=$(curl -sS "$PATCHBAY/api/v1/connectors?url=${sandboxUrl}" ${auth} | node -pe 'JSON.parse(fs.readFileSync(0)).items[0].id')`,
    '# 3. connect: the answer holds a link, until somebody has authorized',
    `LINK=$(curl -sS -X POST $PATCHBAY/api/v1/connectors/$ID/connect ${auth} | node -pe '(JSON.parse(fs.readFileSync(0)).auth_request ?? {}).authorization_endpoint ?? "connected already"')`,
    '# 4. open it in a browser, press Continue, choose who you are, authorize',
    `echo "Open in your browser: $LINK"`,
    '# 5. call a tool through the connector',
    `curl -sS $PATCHBAY/connectors/$ID/mcp ${auth} ${json} -H 'Accept: application/json, text/event-stream' -H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: tools/call' -H 'Mcp-Name: whoami' -d '${call}'; echo`,
  ]
}
