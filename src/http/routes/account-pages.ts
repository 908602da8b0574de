import Router from '@koa/router'
import type { Context } from 'koa'
import type { AccessStore } from '../../access/store.ts'
import { nothingThere } from '../../audit/audit-entry.ts'
import type { AuditLog } from '../../audit/audit-log.ts'
import type { ManageGrants } from '../../authorization-server/manage-grants.ts'
import { AppError } from '../../kernel/app-error.ts'
import { isId } from '../../kernel/id.ts'
import type { FormToken } from '../form-token.ts'
import { isOwnForm } from '../own-form.ts'
import { pageAct } from '../page-acts.ts'
import { type AccountPage, accountPage } from '../pages/account-page.ts'
import type { Asked, PersonSignIn, Recognised } from '../person-sign-in.ts'
import { readForm } from '../read-form.ts'
import { sendPage } from '../send-page.ts'

type Deps = {
  readonly manageGrants: ManageGrants
  readonly audit: Pick<AuditLog, 'run'>
  readonly personSignIn: PersonSignIn
  readonly access: Pick<AccessStore, 'ensureTenant'>
  readonly formToken: FormToken
  readonly publicUrl: URL
}

const path = '/account'
const shown = 100

/** The page on which people see what they gave to apps, and take it back. */
export function createAccountPages(deps: Deps): Router {
  const { manageGrants, audit, personSignIn, access, formToken, publicUrl } = deps
  const router = new Router({ sensitive: true, strict: true })

  router.get(path, async (ctx) => {
    const recognised = await personSignIn.recognise(ctx)
    if (recognised === null) return personSignIn.ask(ctx, await asked())
    await show(ctx, recognised)
  })

  router.post(path, async (ctx) => {
    if (!isOwnForm(ctx, publicUrl)) throw new AppError('forbidden', 'press came from another site')
    const form = await readForm(ctx.req)
    const recognised = await personSignIn.recognise(ctx)
    personSignIn.checkForm(form, path, recognised)
    if (await personSignIn.answer(ctx, form, await asked(), recognised)) return
    if (recognised === null) return personSignIn.ask(ctx, await asked())
    if (form.get('action') !== 'revoke') throw new AppError('invalid_request', 'no such action')
    const id = form.get('grant_id') ?? ''
    const isDone = isId(id) && (await revoke(ctx, recognised, id))
    await show(ctx, recognised, isDone ? 'revoked' : 'gone')
  })

  return router

  /** False when there is no such living grant of theirs. */
  function revoke(ctx: Context, { session }: Recognised, grantId: string): Promise<boolean> {
    const { person, connectorId } = session
    return audit.run(
      pageAct(ctx, { action: 'revokeGrant', tenantId: person.tenantId, person, grantId }),
      () => manageGrants.revokeOwn(person, connectorId, grantId),
      (isDone) => (isDone ? {} : nothingThere),
    )
  }

  async function asked(): Promise<Asked> {
    const { id: tenantId } = await access.ensureTenant('default', 'default')
    return { subject: path, purpose: 'Sign in to see which apps may use connectors as you.', tenantId }
  }

  async function show(ctx: Context, { session, token }: Recognised, notice?: AccountPage['notice']): Promise<void> {
    const { person, connectorId } = session
    const { items, totalCount } = await manageGrants.listOwn(person, connectorId, { limit: shown })
    const page = {
      formToken: formToken.make(path, token),
      subject: person.subject,
      grants: items.map(({ grant, connector }) => ({
        id: grant.id,
        clientName: grant.clientName,
        // a client with a metadata document is called by its address
        clientHost: URL.canParse(grant.clientId) ? new URL(grant.clientId).host : null,
        connectorName: connector.name ?? new URL(connector.url).host,
        createdAt: grant.createdAt,
        lastUsedAt: grant.lastUsedAt,
      })),
      total: totalCount,
      ...(notice === undefined ? {} : { notice }),
    }
    sendPage(ctx, publicUrl, (nonce) => accountPage(page, nonce))
  }
}
