type Place = { readonly setting: string; readonly port: number; readonly host: string }

/** A port that cannot be had, in words for the operator. */
export class PortError extends Error {
  constructor({ setting, port, host }: Place, cause: unknown) {
    super(describe({ setting, port, host }, cause), { cause })
    this.name = 'PortError'
  }
}

function describe({ setting, port, host }: Place, cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : 'unknown'
  const other = `choose another one with the setting ${setting}, for example: ${setting}=${port + (port < 60_000 ? 10 : -10)} npm start`
  if (code === 'EADDRINUSE') return `Port ${port} is taken by another program. Free it, or ${other}`
  if (code === 'EACCES') return `Port ${port} is for privileged programs only. Please ${other}`
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return `This machine has no address "${host}" to listen on. Check the setting HOST.`
  return `Port ${port} of ${host} cannot be used (${String(code)}). Please ${other}`
}
