import type { ClientMetadata } from './client-metadata.ts'

/** What a person uses to take a connector into a host. `value` holds the connector's URL already. */
export type Installation = {
  /** `link`: to open; `command`: to run; `json`: to add to a settings file; `url`: to paste where the host asks for one. */
  readonly kind: 'link' | 'command' | 'json' | 'url'
  readonly value: string
}

type Target = { readonly name: string; readonly url: URL }

/** A host as we know it: how it makes itself known to us, and how a connector gets into it. */
export type HostProfile = {
  readonly id: string
  readonly title: string
  /** The address of its metadata document (CIMD), where it has one. */
  readonly documentUrl?: string
  /** What it registers or publishes, as far as it matters here. */
  readonly metadata: Partial<Pick<ClientMetadata, 'client_name' | 'token_endpoint_auth_method'>> & {
    readonly redirect_uris: readonly string[]
  }
  /** False for hosts that run elsewhere and need a public https URL. */
  readonly isLocal: boolean
  install(target: Target): readonly Installation[]
}

const paste = ({ url }: Target): readonly Installation[] => [{ kind: 'url', value: url.href }]
const json = (value: object): Installation => ({ kind: 'json', value: JSON.stringify(value, null, 2) })

/** Sources and dates stand in docs/hosts/. */
export const hostProfiles: readonly HostProfile[] = [
  {
    id: 'claude',
    title: 'Claude (web, desktop, mobile)',
    documentUrl: 'https://claude.ai/oauth/mcp-oauth-client-metadata',
    metadata: {
      client_name: 'Claude',
      redirect_uris: ['https://claude.ai/api/mcp/auth_callback', 'https://claude.com/api/mcp/auth_callback'],
      token_endpoint_auth_method: 'none',
    },
    isLocal: false,
    install: paste,
  },
  {
    id: 'claude-code',
    title: 'Claude Code',
    documentUrl: 'https://claude.ai/oauth/claude-code-client-metadata',
    metadata: {
      client_name: 'Claude Code',
      redirect_uris: ['http://localhost/callback', 'http://127.0.0.1/callback'],
      token_endpoint_auth_method: 'none',
    },
    isLocal: true,
    install: ({ name, url }) => [{ kind: 'command', value: `claude mcp add --transport http ${name} ${url.href}` }],
  },
  {
    id: 'chatgpt',
    title: 'ChatGPT',
    documentUrl: 'https://chatgpt.com/oauth/client.json',
    metadata: {
      client_name: 'ChatGPT',
      redirect_uris: ['https://chatgpt.com/connector_platform_oauth_redirect'],
      token_endpoint_auth_method: 'none',
    },
    isLocal: false,
    install: paste,
  },
  {
    id: 'cursor',
    title: 'Cursor',
    metadata: {
      client_name: 'Cursor',
      redirect_uris: [
        'cursor://anysphere.cursor-mcp/oauth/callback',
        'https://www.cursor.com/agents/mcp/oauth/callback',
      ],
      token_endpoint_auth_method: 'none',
    },
    isLocal: true,
    install({ name, url }) {
      const config = Buffer.from(JSON.stringify({ url: url.href })).toString('base64')
      const query = new URLSearchParams({ name, config })
      return [
        { kind: 'link', value: `cursor://anysphere.cursor-deeplink/mcp/install?${query}` },
        json({ mcpServers: { [name]: { url: url.href } } }),
      ]
    },
  },
  {
    id: 'vscode',
    title: 'Visual Studio Code',
    metadata: {
      client_name: 'Visual Studio Code',
      redirect_uris: ['http://127.0.0.1:33418/', 'https://vscode.dev/redirect'],
      token_endpoint_auth_method: 'none',
    },
    isLocal: true,
    install({ name, url }) {
      const server = { name, type: 'http', url: url.href }
      return [
        { kind: 'link', value: `vscode:mcp/install?${encodeURIComponent(JSON.stringify(server))}` },
        json({ servers: { [name]: { type: 'http', url: url.href } } }),
      ]
    },
  },
  {
    id: 'inspector',
    title: 'MCP Inspector',
    metadata: {
      client_name: 'MCP Inspector',
      redirect_uris: ['http://127.0.0.1:6276/oauth/callback', 'http://localhost:6274/oauth/callback'],
      token_endpoint_auth_method: 'none',
    },
    isLocal: true,
    install: ({ url }) => [
      {
        kind: 'command',
        value: `npx @modelcontextprotocol/inspector --cli ${url.href} --transport http --method tools/list`,
      },
    ],
  },
  {
    id: 'mcp-remote',
    title: 'Anything that speaks stdio, over mcp-remote',
    metadata: {
      client_name: 'MCP CLI Proxy',
      redirect_uris: ['http://localhost:3334/oauth/callback'],
      token_endpoint_auth_method: 'none',
    },
    isLocal: true,
    install({ name, url }) {
      const isPlain = url.protocol === 'http:'
      const args = ['-y', 'mcp-remote', url.href, ...(isPlain ? ['--allow-http'] : [])]
      return [json({ mcpServers: { [name]: { command: 'npx', args } } })]
    },
  },
]

/** A name for a settings file: small letters, digits and dashes. */
export function installName(title: string): string {
  const name = title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40)
  return name === '' ? 'connector' : name
}
