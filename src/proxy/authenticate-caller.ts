import { credentialIn } from '../access/authenticate.ts'
import type { VerifyCaller } from '../access/caller.ts'
import { clientAddress } from '../access/client-address.ts'
import type { FindCallerOf, VerifyCallerOf } from '../access/known-callers.ts'
import type { WrongKeys } from '../access/wrong-keys.ts'
import { claimsToBeOurs } from '../authorization-server/read-access-token.ts'
import type { VerifyAccessToken } from '../authorization-server/verify-access-token.ts'
import { AppError } from '../kernel/app-error.ts'
import type { AuthenticateCaller } from './ports.ts'

type Deps = {
  readonly verifyCaller: VerifyCaller
  readonly verifyAccessToken: VerifyAccessToken
  readonly publicUrl: URL
}

/** Whose credential that is at an MCP endpoint: an access token of our own for just this connector, or whatever the API takes. */
export function createVerifyMcpCaller({ verifyCaller, verifyAccessToken, publicUrl }: Deps): FindCallerOf {
  return (credential, connectorId) =>
    claimsToBeOurs(publicUrl, credential) ? verifyAccessToken(credential, connectorId) : verifyCaller(credential)
}

type CallerDeps = {
  readonly verify: VerifyCallerOf
  readonly wrongKeys: WrongKeys
  /** As the front door has it. */
  readonly trustedProxies: number
}

/** Who calls an MCP endpoint, by the credential in the request. */
export function createAuthenticateCaller({ verify, wrongKeys, trustedProxies }: CallerDeps): AuthenticateCaller {
  return (request, authorization, connectorId) => {
    const credential = credentialIn(authorization)
    if (credential === null) throw new AppError('unauthenticated', 'no credentials', { meta: { reason: 'missing' } })
    return wrongKeys({
      credential,
      address: () => clientAddress(request, trustedProxies),
      verify: () => verify(credential, connectorId),
    })
  }
}
