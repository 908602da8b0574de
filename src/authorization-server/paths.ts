/** Where our authorization server answers. */
export const oauthPaths = {
  authorization: '/oauth/authorize',
  token: '/oauth/token',
  registration: '/oauth/register',
  revocation: '/oauth/revoke',
  introspection: '/oauth/introspect',
  jwks: '/.well-known/jwks.json',
  /** Our page; the id of the request follows. */
  consent: '/oauth/consent',
  /** Where the organisation's login sends people back to. */
  loginCallback: '/oauth/login/callback',
} as const

/** Where hosts look that guess instead of reading the metadata (MCP 2025-03-26, default endpoints). */
export const rootAliases: Readonly<Record<string, string>> = {
  '/authorize': oauthPaths.authorization,
  '/token': oauthPaths.token,
  '/register': oauthPaths.registration,
  '/revoke': oauthPaths.revocation,
  '/introspect': oauthPaths.introspection,
}
