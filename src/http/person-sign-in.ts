import type { Context } from 'koa'
import { addressBlock } from '../access/address-block.ts'
import type { RedeemConnectToken } from '../authorization-server/connect-token.ts'
import type { PersonSession, PersonStore } from '../authorization-server/person-session.ts'
import { AppError } from '../kernel/app-error.ts'
import type { BrowserSessions } from './browser-sessions.ts'
import { isDevLoginAllowed } from './dev-login.ts'
import type { FormToken } from './form-token.ts'
import { requestRecord } from './front-door.ts'
import { type SignInPage, signInPage } from './pages/sign-in-page.ts'
import type { PersonCookie } from './person-cookie.ts'
import { personName } from './person-name.ts'
import type { SendToLogin } from './routes/login-pages.ts'
import { sendPage } from './send-page.ts'

type Deps = {
  readonly browserSessions: BrowserSessions
  readonly people: Pick<PersonStore, 'ensure'>
  readonly personCookie: PersonCookie
  readonly formToken: FormToken
  readonly redeemConnectToken: RedeemConnectToken
  /** Null where there is no login at an organisation. */
  readonly sendToLogin: SendToLogin | null
  readonly publicUrl: URL
}

/** What is asked for on a page of ours that needs to know who is there. */
export type Asked = {
  /** What its forms are bound to. */
  readonly subject: string
  readonly purpose: string
  /** Where a name is enough, it is one of this tenant. */
  readonly tenantId: string
  /** Where a connect token is enough, it is one for this connector. */
  readonly connectorId?: string
}

export type Recognised = { readonly session: PersonSession; readonly token: string }

/** Who sits in front of a browser, on pages where no app asks: they sign in first, and the page's path is shown again. */
export function createPersonSignIn(deps: Deps) {
  const { browserSessions, personCookie, formToken, publicUrl } = deps

  function ask(ctx: Context, { subject, purpose, connectorId }: Asked, problem?: SignInPage['problem']): void {
    const page = {
      action: ctx.path,
      formToken: formToken.make(subject, null),
      isDevLoginOffered: isDevLoginAllowed(ctx, publicUrl),
      isOrganisationOffered: deps.sendToLogin !== null,
      purpose,
      isTokenTaken: connectorId !== undefined,
      ...(problem === undefined ? {} : { problem }),
    }
    sendPage(ctx, publicUrl, (nonce) => signInPage(page, nonce), problem === undefined ? 200 : 400)
  }

  return {
    ask,

    /** Null when nobody is known here. */
    async recognise(ctx: Context): Promise<Recognised | null> {
      const token = personCookie.read(ctx)
      const session = token === null ? null : await browserSessions.find(token)
      return session === null || token === null ? null : { session, token }
    },

    /** @throws AppError `forbidden` for a form that is not of this page, or was shown to somebody else */
    checkForm(form: ReadonlyMap<string, string>, subject: string, recognised: Recognised | null): void {
      if (!formToken.check(form.get('form_token') ?? '', subject, recognised?.token ?? null))
        throw new AppError('forbidden', 'form token does not fit')
    },

    /**
     * Answers the presses that are about who somebody is.
     *
     * @returns false when it was another press
     */
    async answer(
      ctx: Context,
      form: ReadonlyMap<string, string>,
      asked: Asked,
      recognised: Recognised | null,
    ): Promise<boolean> {
      switch (form.get('action')) {
        case 'organisation':
          if (deps.sendToLogin === null) throw new AppError('invalid_request', 'no organisation to sign in at')
          await deps.sendToLogin(ctx, ctx.path)
          return true
        case 'connect_token': {
          const { connectorId, subject } = asked
          if (connectorId === undefined) throw new AppError('invalid_request', 'no connect token is taken here')
          const address = addressBlock(requestRecord(ctx.req).address)
          const at = { connectorId, address, requestId: subject }
          const person = await deps.redeemConnectToken(form.get('connect_token') ?? '', at)
          if (person === null) ask(ctx, asked, 'connect_token')
          else {
            personCookie.set(ctx, await browserSessions.begin(ctx, person, 'connect_token', connectorId))
            showAgain(ctx)
          }
          return true
        }
        case 'name': {
          if (!isDevLoginAllowed(ctx, publicUrl)) throw new AppError('forbidden', 'dev login is off here')
          const name = form.get('name')?.trim() ?? ''
          if (!personName.test(name)) ask(ctx, asked, 'name')
          else {
            const person = await deps.people.ensure({ tenantId: asked.tenantId, kind: 'user', subject: name })
            personCookie.set(ctx, await browserSessions.begin(ctx, person, 'dev', null))
            showAgain(ctx)
          }
          return true
        }
        case 'leave':
          if (recognised !== null) await browserSessions.end(ctx, recognised.session, recognised.token)
          personCookie.clear(ctx)
          showAgain(ctx)
          return true
        default:
          return false
      }
    },
  }
}

export type PersonSignIn = ReturnType<typeof createPersonSignIn>

/** The same page, fetched anew, so that reloading it sends nothing twice. */
function showAgain(ctx: Context): void {
  ctx.status = 303
  ctx.set({ Location: ctx.path, 'Cache-Control': 'no-store' })
  ctx.body = ''
}
