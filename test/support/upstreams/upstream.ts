/** A server to connect to, running as a process of its own. */
export type Upstream = {
  /** Its MCP endpoint. */
  readonly url: string
  /** What it wrote so far: put it into failures. */
  output(): string
  close(): Promise<void>
}
