import { createBootstrapAccess, createIssueApiKey } from '../access/api-key.ts'
import { createAuthenticate } from '../access/authenticate.ts'
import type { ClaimMapping } from '../access/oidc-claims.ts'
import { createOidcKeys } from '../access/oidc-issuer.ts'
import type { AccessStore } from '../access/store.ts'
import { createVerifyCaller } from '../access/verify-caller.ts'
import { createVerifyOidcToken } from '../access/verify-oidc-token.ts'
import { createWrongKeys } from '../access/wrong-keys.ts'
import type { Settings } from '../config/settings.ts'
import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import { createApiKeyRoutes } from '../http/routes/api-key-routes.ts'
import type { Clock } from '../kernel/clock.ts'

type Deps = {
  readonly settings: Settings
  readonly access: AccessStore
  readonly fetch: GuardedFetch
  readonly clock: Clock
}

/** Which claims of the organisation's tokens mean what, as an operator set it. */
export function claimMapping(settings: Settings): ClaimMapping {
  return {
    tenant: settings.OIDC_TENANT_CLAIM,
    subject: settings.OIDC_SUBJECT_CLAIM,
    kind: settings.OIDC_KIND_CLAIM,
    roles: settings.OIDC_ROLES_CLAIM,
    adminRole: settings.OIDC_ADMIN_ROLE,
  }
}

/** Who callers are, and the keys that say so, wired: part of the composition root. */
export function composeAccess({ settings, access, fetch, clock }: Deps) {
  const verifyOidcToken = (issuer: string) =>
    createVerifyOidcToken({
      keys: createOidcKeys({ issuer, fetch, clock }),
      issuer,
      audience: settings.OIDC_AUDIENCE ?? settings.PUBLIC_URL.origin,
      mapping: claimMapping(settings),
      canSignIn: settings.OIDC_CLIENT_ID !== undefined,
      access,
      clock,
    })
  const verifyCaller = createVerifyCaller({
    access,
    clock,
    adminApiKey: settings.ADMIN_API_KEY,
    verifyToken: settings.OIDC_ISSUER === undefined ? null : verifyOidcToken(settings.OIDC_ISSUER),
  })
  const wrongKeys = createWrongKeys({ perMinute: settings.WRONG_KEYS_PER_MINUTE, clock })
  const issueApiKey = createIssueApiKey({ access, clock })
  return {
    verifyCaller,
    wrongKeys,
    authenticate: createAuthenticate({ verifyCaller, wrongKeys }),
    issueApiKey,
    bootstrapAccess: createBootstrapAccess({ access, clock }),
    apiRoutes: createApiKeyRoutes({ access, issueApiKey, clock }),
  }
}
