/** A port that cannot be had, in words for the operator. */
export class PortError extends Error {
  constructor(setting: string, port: number, cause: unknown) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : 'unknown'
    const why = code === 'EADDRINUSE' ? 'is taken by another program' : `cannot be used (${String(code)})`
    super(
      `Port ${port} ${why}. Free it, or choose another one with the setting ${setting}, for example: ${setting}=${port + 10} npm start`,
    )
    this.name = 'PortError'
  }
}
