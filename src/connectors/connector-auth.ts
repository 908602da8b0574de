import { AppError } from '../kernel/app-error.ts'
import type { Secret } from '../kernel/secret.ts'
import { algorithmOf, type SigningAlgorithm } from '../upstream/private-key.ts'
import type { Vault } from '../vault/vault.ts'
import type { Connector, ConnectorAuth } from './connector.ts'
import { sealConnectorSecret } from './connector-secrets.ts'

/** How a caller wants a server to be authorized: `auth` of the REST API. Replaces what was said before as a whole. */
export type AuthRequest =
  | { readonly type: 'auto' | 'none' | 'oauth2' }
  | {
      readonly type: 'token'
      /** Absent: comes with each connect. */
      readonly token?: Secret
      /** Absent: `Authorization`. */
      readonly header?: string
      /** Absent: `Bearer` in `Authorization`, nothing elsewhere. Empty: nothing. */
      readonly scheme?: string
    }
  | {
      readonly type: 'client_credentials'
      readonly clientId: string
      readonly clientSecret?: Secret
      readonly privateKey?: Secret
      readonly keyId?: string
      readonly signingAlgorithm?: SigningAlgorithm
    }

/** Absent: as it is. Null: cleared. */
export type AuthChange = {
  readonly auth?: AuthRequest
  readonly clientId?: string | null
  readonly clientSecret?: Secret | null
}

const ofAuthType = {
  sealedPrivateKey: null,
  keyId: null,
  signingAlgorithm: null,
  tokenHeader: null,
  tokenScheme: null,
  sealedToken: null,
} as const

/** Before anything was said. */
export const initialAuth: ConnectorAuth = {
  authType: 'auto',
  clientId: null,
  sealedClientSecret: null,
  clientIssuer: null,
  ...ofAuthType,
}

/**
 * What a caller's words make of the auth settings of a connector, its secrets sealed.
 *
 * @throws AppError `client_id_missing` (a secret without its id), `invalid_request` (unusable key, client given twice)
 */
export function changeAuth(
  vault: Vault,
  before: ConnectorAuth & Pick<Connector, 'id' | 'tenantId'>,
  change: AuthChange,
): ConnectorAuth {
  const { id, tenantId, ...auth } = before
  const row = { id, tenantId }
  const typed = change.auth === undefined ? auth : ofRequest(vault, row, auth, change.auth)
  const isClientGiven = change.clientId != null || change.clientSecret != null
  if (isClientGiven && typed.authType === 'client_credentials') throw clientBelongsInAuth()
  const next = { ...typed, ...ofClient(vault, row, change) }
  if (next.sealedClientSecret !== null && next.clientId === null) throw clientIdMissing()
  return next
}

/** True when grants that were made under the one settings mean nothing under the other. */
export function voidsGrants(before: ConnectorAuth, after: ConnectorAuth): boolean {
  const names = Object.keys(initialAuth).filter((name): name is keyof ConnectorAuth => name !== 'clientIssuer')
  return names.some((name) => before[name] !== after[name])
}

/** The auth settings of a connector, and nothing else of it. */
export function authOf(connector: Connector): ConnectorAuth {
  const { authType, clientId, sealedClientSecret, clientIssuer, sealedPrivateKey } = connector
  const { keyId, signingAlgorithm, tokenHeader, tokenScheme, sealedToken } = connector
  const client = { clientId, sealedClientSecret, clientIssuer, sealedPrivateKey, keyId, signingAlgorithm }
  return { authType, ...client, tokenHeader, tokenScheme, sealedToken }
}

type Row = Pick<Connector, 'id' | 'tenantId'>

function ofRequest(vault: Vault, row: Row, before: ConnectorAuth, request: AuthRequest): ConnectorAuth {
  const seal = (kind: 'clientSecret' | 'privateKey' | 'token', secret: Secret | undefined) =>
    secret === undefined ? null : sealConnectorSecret(vault, kind, row, secret)
  // the client of client_credentials is of no use for anything else
  const kept = before.authType === 'client_credentials' ? initialAuth : before
  const base: ConnectorAuth = { ...kept, ...ofAuthType, authType: request.type }
  switch (request.type) {
    case 'token':
      return {
        ...base,
        tokenHeader: request.header ?? null,
        tokenScheme: request.scheme ?? null,
        sealedToken: seal('token', request.token),
      }
    case 'client_credentials': {
      const { privateKey, keyId = null } = request
      return {
        ...base,
        clientId: request.clientId,
        clientIssuer: null,
        sealedClientSecret: seal('clientSecret', request.clientSecret),
        sealedPrivateKey: seal('privateKey', privateKey),
        keyId,
        signingAlgorithm: privateKey === undefined ? null : algorithmOf(privateKey, request.signingAlgorithm),
      }
    }
    default:
      return base
  }
}

/** A secret belongs to the client id that it came with, and the client to the first authorization server that it meets. */
function ofClient(vault: Vault, row: Row, { clientId, clientSecret }: AuthChange): Partial<ConnectorAuth> {
  return {
    ...(clientId === undefined ? {} : { clientId, clientIssuer: null, sealedClientSecret: null }),
    ...(clientSecret === undefined
      ? {}
      : {
          sealedClientSecret:
            clientSecret === null ? null : sealConnectorSecret(vault, 'clientSecret', row, clientSecret),
        }),
  }
}

function clientIdMissing(): AppError {
  const message = 'A client_secret needs a client_id.'
  return new AppError('client_id_missing', 'secret without id', {
    publicDetail: message,
    fields: [{ path: 'client_id', message }],
  })
}

function clientBelongsInAuth(): AppError {
  const message = 'With auth type client_credentials the client stands in `auth`.'
  return new AppError('invalid_request', 'client given beside client_credentials', {
    publicDetail: message,
    fields: [{ path: 'client_id', message }],
  })
}
