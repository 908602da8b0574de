/** The one scope of the sandbox: whoever has it may use the tools. */
export const sandboxScope = 'mcp'

/** Where the sandbox is found. Everything it says about itself uses these, whatever `Host` a request carried. */
export type SandboxAddresses = {
  /** `http://localhost:<port>`: also the issuer of the authorization server. */
  readonly origin: string
  /** The protected resource (RFC 8707 section 2) and audience of every access token. */
  readonly mcpUrl: string
  /** RFC 9728 section 3.1, path form. */
  readonly resourceMetadataUrl: string
  /** Values of `Host` that are answered; any other belongs to a page that re-pointed its own name at this machine. */
  readonly hosts: ReadonlySet<string>
}

/** The addresses of a sandbox on `port` (1..65535). */
export function sandboxAddresses(port: number): SandboxAddresses {
  const origin = `http://localhost:${port}`
  return {
    origin,
    mcpUrl: `${origin}/mcp`,
    resourceMetadataUrl: `${origin}/.well-known/oauth-protected-resource/mcp`,
    hosts: new Set([`localhost:${port}`, `127.0.0.1:${port}`]),
  }
}
