import { createOidcLogin } from '../access/oidc-login.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import { createAuthorizationServer } from '../authorization-server/authorization-server.ts'
import { createClientTrust } from '../authorization-server/client-trust.ts'
import { createMintConnectToken, createRedeemConnectToken } from '../authorization-server/connect-token.ts'
import { type ConsentConnectionDeps, createConsentConnection } from '../authorization-server/consent-connection.ts'
import { createFetchClient } from '../authorization-server/fetch-client.ts'
import { createJudgeClient } from '../authorization-server/judge-client.ts'
import { createManageGrants } from '../authorization-server/manage-grants.ts'
import { createManageRegistration } from '../authorization-server/manage-registration.ts'
import { createOrganisationLogin } from '../authorization-server/organisation-login.ts'
import { oauthPaths } from '../authorization-server/paths.ts'
import { createPendingRequests } from '../authorization-server/pending-request.ts'
import { createPersonSessions } from '../authorization-server/person-session.ts'
import { createReadAccessToken } from '../authorization-server/read-access-token.ts'
import { createRegisterOauthClient } from '../authorization-server/register-client.ts'
import { createRegistrationLimit } from '../authorization-server/registration-limit.ts'
import { createVerifyAccessToken } from '../authorization-server/verify-access-token.ts'
import type { Settings } from '../config/settings.ts'
import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import type { BrowserCookie } from '../http/browser-cookie.ts'
import { createBrowserSessions } from '../http/browser-sessions.ts'
import { createFormToken } from '../http/form-token.ts'
import { createLoginCookie } from '../http/login-cookie.ts'
import { createOauthErrorPage } from '../http/oauth-error-page.ts'
import { createPersonCookie } from '../http/person-cookie.ts'
import { createPersonSignIn } from '../http/person-sign-in.ts'
import { createAccountPages } from '../http/routes/account-pages.ts'
import { createConsentPages } from '../http/routes/consent-pages.ts'
import { createHostRoutes } from '../http/routes/host-routes.ts'
import { createLoginPages } from '../http/routes/login-pages.ts'
import { createOauthRoutes } from '../http/routes/oauth-routes.ts'
import { createRegistrationRoutes } from '../http/routes/registration-routes.ts'
import { createResourceMetadataRoutes } from '../http/routes/resource-metadata-routes.ts'
import type { Changes } from '../kernel/changes.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Logger } from '../log/logger.ts'
import type { PresetCatalog } from '../presets/match-preset.ts'
import type { Storage } from '../storage/open-storage.ts'
import { createStoredKeys } from '../vault/stored-keys.ts'
import type { Vault } from '../vault/vault.ts'
import { claimMapping } from './compose-access.ts'

type Deps = {
  readonly settings: Settings
  readonly storage: Storage
  readonly presets: PresetCatalog
  readonly fetch: GuardedFetch
  readonly vault: Vault
  readonly changes: Changes
  readonly clock: Clock
  readonly audit: AuditLog
  readonly log: Logger
}

type PageDeps = ConsentConnectionDeps & { readonly browserCookie: BrowserCookie }

/** Everything that hosts and their people meet, wired: part of the composition root. */
export function composeHosts({ settings, storage, presets, fetch, vault, changes, clock, audit, log }: Deps) {
  const publicUrl = settings.PUBLIC_URL
  const { access, connectors, grants, oauthClients: clients, artifacts, rates, people } = storage
  const signingKeys = createStoredKeys({ store: storage.signingKeys, vault, purpose: 'tokens', changes, clock })

  const readAccessToken = createReadAccessToken({ keys: signingKeys, grants, publicUrl, clock })
  const trusts = createClientTrust({ allow: settings.CLIENT_HOSTS_ALLOW, deny: settings.CLIENT_HOSTS_DENY ?? [] })
  const limitRegistrations = createRegistrationLimit({
    rates,
    clock,
    maxPerMinute: settings.REGISTRATIONS_PER_MINUTE,
    sharedNetworks: settings.REGISTRATION_NETWORKS,
  })
  const registering = { clients, clock, judgeClient: createJudgeClient(trusts), limitRegistrations }
  const registerClient = createRegisterOauthClient({ ...registering, artifacts, rates })
  const manageRegistration = createManageRegistration(registering)
  const authorizationServer = createAuthorizationServer({
    clients,
    trusts,
    grants,
    artifacts,
    signingKeys,
    readAccessToken,
    fetchClient: createFetchClient({ fetch, documents: storage.clientDocuments, clock }),
    connectors,
    showError: createOauthErrorPage(publicUrl),
    vault,
    clock,
    log,
    publicUrl,
    accessTokenTtlSeconds: settings.ACCESS_TOKEN_TTL,
    refreshGraceMs: settings.REFRESH_GRACE * 1000,
  })
  const pendingRequests = createPendingRequests({
    authorizationServer,
    artifacts,
    grants,
    clients,
    connectors,
    clock,
    publicUrl,
  })

  const browserSessions = createBrowserSessions({ personSessions: createPersonSessions({ people, clock }), audit })
  const personCookie = createPersonCookie(publicUrl)
  const formToken = createFormToken(vault.deriveKeys('form-token'))
  const manageGrants = createManageGrants({ grants, clock })

  /** Where people sign in at their organisation; null where there is no such place. */
  function login() {
    const { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: clientId, OIDC_CLIENT_SECRET: clientSecret } = settings
    if (issuer === undefined || clientId === undefined) return null
    const redirectUri = new URL(oauthPaths.loginCallback, publicUrl)
    const mapping = claimMapping(settings)
    const oidcLogin = createOidcLogin({ issuer, clientId, clientSecret, redirectUri, mapping, fetch, clock })
    const organisationLogin = createOrganisationLogin({ oidcLogin, access, people, vault, clock })
    const loginCookie = createLoginCookie(publicUrl)
    return createLoginPages({ organisationLogin, browserSessions, loginCookie, personCookie, publicUrl })
  }

  const organisation = login()
  const sendToLogin = organisation?.sendToLogin ?? null
  const redeemConnectToken = createRedeemConnectToken({ people, rates, clock })
  const personSignIn = createPersonSignIn({
    browserSessions,
    people,
    personCookie,
    formToken,
    redeemConnectToken,
    sendToLogin,
    publicUrl,
  })

  return {
    /** Who sits in front of a browser, for pages where no app asks. */
    personSignIn,

    verifyAccessToken: createVerifyAccessToken({ readAccessToken, publicUrl }),

    apiRoutes: createHostRoutes({
      mintConnectToken: createMintConnectToken({ connectors, people, clock }),
      manageGrants,
      connectors,
      presets,
      publicUrl,
    }),

    /** For the server process: metadata, protocol, and the pages on which people decide. */
    createRouters: ({ browserCookie, ...connecting }: PageDeps) => [
      createResourceMetadataRoutes({ publicUrl }),
      createOauthRoutes({ authorizationServer, signingKeys }),
      createRegistrationRoutes({ registerClient, manageRegistration, publicUrl }),
      ...(organisation === null ? [] : [organisation.router]),
      createAccountPages({ manageGrants, audit, personSignIn, access, formToken, publicUrl }),
      createConsentPages({
        pendingRequests,
        browserSessions,
        people,
        redeemConnectToken,
        consentConnection: createConsentConnection(connecting),
        presets,
        browserCookie,
        personCookie,
        formToken,
        sendToLogin,
        audit,
        publicUrl,
      }),
    ],
  }
}
