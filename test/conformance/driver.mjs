// The client that the official conformance suite starts, once per scenario: `node driver.mjs <URL of the suite's server>`.
// It is a user of Patchbay like any other: it knows where one runs (PUBLIC_URL) and has a key (PATCHBAY_KEY), makes a
// connector for the suite's server, and calls its tools through the connector's MCP endpoint. What the suite sees of us
// is therefore Patchbay itself. The last line of output is JSON: what came of it.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { request } from 'undici'

const { PUBLIC_URL, PATCHBAY_KEY, MCP_CONFORMANCE_SCENARIO, MCP_CONFORMANCE_PROTOCOL_VERSION } = process.env
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}')
const modern = '2026-07-28'
const maxAuthorizations = 3
const maxHops = 12
const authorization = `Bearer ${PATCHBAY_KEY}`

/** Extensions that Patchbay does not offer. The suite runs them all the same, and scores them for nobody. */
const notOffered = ['auth/dpop', 'auth/dpop-nonce', 'auth/enterprise-managed-authorization', 'auth/wif-jwt-bearer']

/** Patchbay said no, in a way that a program can read. */
class Refused extends Error {
  constructor(code, message) {
    super(message)
    this.code = code
  }
}

async function rest(method, path, body) {
  const response = await fetch(new URL(`/api/v1/connectors${path}`, PUBLIC_URL), {
    method,
    headers: { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  const answer = text === '' ? undefined : JSON.parse(text)
  if (!response.ok) throw new Refused(answer?.code, `${method} ${path}: ${text}`)
  return answer
}

/**
 * What a person's browser does with a link: follows redirects and refreshes, keeps cookies, presses the one button. The
 * suite's authorization server asks nobody. (Not `fetch`, which calls itself a script, not a navigation.)
 *
 * @returns the page on which it ends
 */
async function openInBrowser(link) {
  const cookies = new Map()
  let next = { url: new URL(link), method: 'GET', headers: {} }
  for (let hop = 0; hop < maxHops; hop++) {
    const { url, method } = next
    const cookie = [...cookies.values()].filter(({ host }) => host === url.hostname).map(({ pair }) => pair)
    const { statusCode, headers, body } = await request(url, {
      method,
      headers: { 'sec-fetch-mode': 'navigate', cookie: cookie.join('; '), ...next.headers },
    })
    for (const line of [headers['set-cookie'] ?? []].flat()) {
      const [pair = ''] = line.split(';')
      cookies.set(`${url.hostname} ${pair.split('=')[0]}`, { host: url.hostname, pair })
    }
    const html = await body.text()
    const refresh = /<meta http-equiv="refresh" content="\d+;\s*url=([^"]+)"/i.exec(html)?.[1]
    const action = /<form\b[^>]*\bmethod="post"[^>]*\baction="([^"]+)"/i.exec(html)?.[1]
    const target = headers.location ?? unescapeHtml(refresh) ?? unescapeHtml(action)
    if (target === undefined) return { status: statusCode, title: /<title>([^<]*)/.exec(html)?.[1] ?? '' }
    const isForm = headers.location === undefined && refresh === undefined
    next = {
      url: new URL(target, url),
      method: isForm ? 'POST' : 'GET',
      headers: isForm ? { origin: url.origin, 'content-type': 'application/x-www-form-urlencoded' } : {},
    }
  }
  throw new Error(`still being sent on after ${maxHops} pages`)
}

function unescapeHtml(text) {
  return text
    ?.replace(/&#39;/g, "'")
    .replace(/&quot;/g, '"')
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&amp;/g, '&')
}

/** Connects an MCP client to the connector's endpoint, lists the tools and calls each, or those that the suite names. */
async function useTools(connector) {
  const isModern = MCP_CONFORMANCE_PROTOCOL_VERSION === modern
  const client = new Client(
    { name: 'patchbay-conformance', version: '1.0.0' },
    {
      versionNegotiation: { mode: isModern ? { pin: modern } : 'legacy' },
      capabilities: { elicitation: { form: { applyDefaults: true } } },
    },
  )
  client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: {} }))
  const url = new URL(`/connectors/${connector.id}/mcp`, PUBLIC_URL)
  try {
    await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers: { authorization } } }))
    const { tools } = await client.listTools()
    const calls = context.toolCalls ?? tools.map(({ name, inputSchema }) => ({ name, arguments: sample(inputSchema) }))
    for (const call of calls) {
      const { content, _meta } = await client.callTool(call)
      // Patchbay's own words in the tool's place: somebody has to connect, or authorize more
      if (_meta?.['patchbay/connection'] !== undefined) throw new Error(content[0].text)
    }
    return calls.length
  } finally {
    await client.close()
  }
}

/** Something for each argument that a tool requires. */
function sample({ properties = {}, required = [] }) {
  const values = { number: 1, integer: 1, boolean: true, object: {}, array: [] }
  return Object.fromEntries(required.map((name) => [name, values[properties[name]?.type] ?? 'text']))
}

/** Connects, uses the tools, and authorizes whenever the connector asks for it, up to three times. */
async function drive({ id }) {
  let connector = await rest('POST', `/${id}/connect`, {})
  let failure
  for (let authorizations = 0; ; authorizations++) {
    if (connector.state === 'connected') {
      try {
        return { outcome: 'used', tools: await useTools(connector), authorizations }
      } catch (error) {
        failure = error
        connector = await rest('GET', `/${id}`)
      }
    }
    if (connector.state !== 'auth_required' || authorizations === maxAuthorizations) {
      throw new Refused(connector.last_error?.code, `${connector.state} after ${authorizations}: ${failure}`)
    }
    const page = await openInBrowser(connector.auth_request.authorization_endpoint)
    if (page.status >= 400) failure = new Error(`the browser ended on "${page.title}" (${page.status})`)
    connector = await rest('GET', `/${id}`)
  }
}

/** The client that the suite registered, if it did, as the fields of a new connector. */
function clientOf({ client_id, client_secret, private_key_pem: private_key, signing_algorithm }) {
  if (!MCP_CONFORMANCE_SCENARIO.startsWith('auth/client-credentials-')) return { client_id, client_secret }
  return { auth: { type: 'client_credentials', client_id, client_secret, private_key, signing_algorithm } }
}

async function main() {
  if (notOffered.includes(MCP_CONFORMANCE_SCENARIO)) return { outcome: 'not_offered' }
  const connector = await rest('POST', '', { url: process.argv.at(-1), ...clientOf(context) })
  try {
    return await drive(connector)
  } finally {
    await rest('DELETE', `/${connector.id}`)
  }
}

try {
  console.log(JSON.stringify(await main()))
} catch (error) {
  console.log(JSON.stringify({ outcome: 'refused', code: error.code ?? null, message: String(error) }))
  process.exitCode = 1
}
