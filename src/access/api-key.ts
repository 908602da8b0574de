import { AppError } from '../kernel/app-error.ts'
import type { Clock } from '../kernel/clock.ts'
import { scopes as allScopes, type PrincipalKind, type Role, type Scope } from '../kernel/principal.ts'
import { hashToken, randomToken, Secret } from '../kernel/secret.ts'
import { scopesOfRole } from './rights.ts'
import type { AccessStore, ApiKey } from './store.ts'

const prefix = 'pbk_'
const hintLength = 10
const keyPattern = /^pbk_[\w-]{43}$/

/** True for what could be one of our keys. The operator's may look like anything. */
export function isApiKeyShaped(text: string): boolean {
  return keyPattern.test(text)
}

const operatorLabel = 'ADMIN_API_KEY'
/** Nobody else is given this name, so its keys are the setting's. */
const operator = { kind: 'service', subject: 'patchbay-operator' } as const

export type ApiKeyRequest = {
  readonly tenantId: string
  readonly label: string
  readonly kind: PrincipalKind
  readonly subject: string
  readonly role: Role
  /** Default: everything that the role may do. */
  readonly scopes?: readonly Scope[]
  readonly expiresAt?: Date
}

type Deps = { readonly access: AccessStore; readonly clock: Clock }

/**
 * Makes an API key `pbk_<256 bits>`. The key itself is in the answer and nowhere else afterwards.
 *
 * @throws AppError `invalid_request` when the expiry lies in the past, a scope exceeds the role, or the name is the operator's
 */
export function createIssueApiKey({ access, clock }: Deps) {
  return async (request: ApiKeyRequest): Promise<{ key: Secret; apiKey: ApiKey }> => {
    const granted = scopesOfRole(request.role)
    const excess = (request.scopes ?? []).filter((scope) => !granted.includes(scope))
    if (excess.length > 0) {
      throw new AppError('invalid_request', 'scopes exceed the role', {
        publicDetail: `The role ${request.role} cannot have: ${excess.join(', ')}. Known scopes: ${allScopes.join(', ')}.`,
      })
    }
    if (request.kind === operator.kind && request.subject === operator.subject) {
      throw new AppError('invalid_request', "the operator's name", {
        publicDetail: `The service "${operator.subject}" is the key of the setting ADMIN_API_KEY, and no other.`,
      })
    }
    if (request.expiresAt !== undefined && request.expiresAt <= clock.now()) {
      throw new AppError('invalid_request', 'expiry in the past', { publicDetail: 'The expiry lies in the past.' })
    }
    const key = new Secret(prefix + randomToken())
    const apiKey = await access.createApiKey({
      tenantId: request.tenantId,
      label: request.label,
      kind: request.kind,
      subject: request.subject,
      role: request.role,
      scopes: request.scopes ?? granted,
      keyHash: hashToken(key.reveal()),
      hint: key.reveal().slice(0, hintLength),
      expiresAt: request.expiresAt ?? null,
    })
    return { key, apiKey }
  }
}

/**
 * Makes the operator's key in tenant `default` be exactly the one that the setting names: an older value stops working,
 * and so does the key when the setting is gone. Several replicas may do this at once.
 */
export function createBootstrapAccess({ access, clock }: Deps) {
  return async (adminApiKey: Secret | undefined): Promise<void> => {
    const tenant = await access.ensureTenant('default', 'Default')
    const keyHash = adminApiKey === undefined ? null : hashToken(adminApiKey.reveal())
    await access.revokeOtherKeysOf({ tenantId: tenant.id, ...operator }, keyHash, clock.now())
    if (keyHash === null) return
    await access.ensureApiKey({
      tenantId: tenant.id,
      label: operatorLabel,
      ...operator,
      role: 'admin',
      scopes: scopesOfRole('admin'),
      keyHash,
      hint: operatorLabel,
      expiresAt: null,
    })
  }
}
