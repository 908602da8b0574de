import { clientMetadata } from './home.ts'

type Tokens = { readonly access_token: string; readonly refresh_token?: string }

/** What a client remembers between its steps, as the libraries' providers keep it: they agree on the names. */
export function createMemory() {
  let client: { client_id: string } | undefined
  let tokens: Tokens | undefined
  let verifier = ''
  let state: string | undefined
  let authorizationUrl: URL | undefined

  return {
    provider: {
      redirectUrl: clientMetadata.redirect_uris[0],
      clientMetadata,
      clientInformation: () => client,
      saveClientInformation: (given: { client_id: string }) => {
        client = given
      },
      tokens: () => tokens,
      saveTokens: (given: Tokens) => {
        tokens = given
      },
      redirectToAuthorization: (target: URL) => {
        authorizationUrl = target
      },
      saveCodeVerifier: (value: string) => {
        verifier = value
      },
      codeVerifier: () => verifier,
      state: () => 'state-of-the-client',
      saveState: (value: string) => {
        state = value
      },
      storedState: () => state,
      invalidateCredentials: (scope: string) => {
        if (scope === 'all' || scope === 'tokens') tokens = undefined
        if (scope === 'all' || scope === 'client') client = undefined
      },
    },
    /** The same from outside. */
    seen: {
      authorizationUrl: () => required(authorizationUrl),
      given: () => required(tokens),
      clientId: () => required(client).client_id,
    },
  }
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the client was not given that yet')
  return value
}
