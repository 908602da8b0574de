/** What the sandbox tells whoever runs it. A pino logger fits. */
export type SandboxLog = {
  info(facts: Record<string, unknown>, message: string): void
  error(facts: Record<string, unknown>, message: string): void
}

export const silentLog: SandboxLog = { info: () => undefined, error: () => undefined }
