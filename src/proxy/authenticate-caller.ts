import { type CredentialSource, readApiKey } from '../access/authenticate.ts'
import { claimsToBeOurs, type VerifyAccessToken } from '../authorization-server/verify-access-token.ts'
import type { Principal } from '../kernel/principal.ts'
import type { AuthenticateCaller } from './ports.ts'

type Deps = {
  readonly authenticate: (source: CredentialSource) => Promise<Principal>
  readonly verifyAccessToken: VerifyAccessToken
  readonly publicUrl: URL
}

/** Who calls an MCP endpoint: by an access token of our own for just this connector, or by whatever the API takes too. */
export function createAuthenticateCaller(deps: Deps): AuthenticateCaller {
  const { authenticate, verifyAccessToken, publicUrl } = deps
  return (request, connectorId) => {
    const credential = readApiKey(request)
    return credential !== null && claimsToBeOurs(publicUrl, credential)
      ? verifyAccessToken(credential, connectorId)
      : authenticate(request)
  }
}
