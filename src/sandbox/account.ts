import type { AuthInfo } from '@modelcontextprotocol/server'

/** The name that was picked on the sign-in page. */
export function accountOf(auth: AuthInfo | undefined): string {
  const account = auth?.extra?.account
  if (typeof account !== 'string') throw new Error('a request reached the tools without an account')
  return account
}
