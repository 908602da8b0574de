import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Interaction } from 'oidc-provider'
import type { Provider } from 'oidc-provider/lib/provider.js'
import rawBody from 'raw-body'
import { z } from 'zod'
import { type SandboxAddresses, sandboxScope } from './addresses.ts'
import { noticePage } from './notice-page.ts'
import { pageHeaders } from './page-layout.ts'
import { signInPage } from './sign-in-page.ts'

export type SignInDeps = { readonly provider: Provider; readonly addresses: SandboxAddresses }

const maxFormBytes = 8192

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unprintable = /[\u0000-\u001f\u007f-\u009f]/

const answer = z.discriminatedUnion('decision', [
  z.object({ decision: z.literal('deny') }),
  z.object({
    decision: z.literal('authorize'),
    account: z.string().default(''),
    name: z.string().trim().default(''),
  }),
])

const accountName = z
  .string()
  .min(1)
  .max(40)
  .refine((name) => !unprintable.test(name))

/** Serves the page that asks who you are (GET) and takes the answer (POST), which ends in a redirect to the client. */
export function createSignIn({ provider, addresses }: SignInDeps) {
  const show = async (
    request: IncomingMessage,
    response: ServerResponse,
    interaction: Interaction,
    problem?: string,
  ) => {
    const client = await provider.Client.find(requestParameter(interaction, 'client_id'))
    const body = signInPage({
      action: new URL(request.url ?? '/', addresses.origin).pathname,
      clientName: client?.clientName ?? 'An unnamed application',
      returnsTo: describeRedirect(requestParameter(interaction, 'redirect_uri')),
      scopes: requestedScopes(interaction),
      ...(problem === undefined ? {} : { problem }),
    })
    response.writeHead(problem === undefined ? 200 : 400, pageHeaders).end(body)
  }

  const take = async (request: IncomingMessage, response: ServerResponse, interaction: Interaction) => {
    const body = await rawBody(request, { limit: maxFormBytes, encoding: 'utf8' })
    const form = answer.safeParse(Object.fromEntries(new URLSearchParams(body)))
    if (!form.success) return show(request, response, interaction, 'Press Authorize or Deny.')
    if (form.data.decision === 'deny') {
      const denied = { error: 'access_denied', error_description: 'The person pressed Deny.' }
      return provider.interactionFinished(request, response, denied, { mergeWithLastSubmission: false })
    }
    const account = accountName.safeParse(form.data.name === '' ? form.data.account : form.data.name)
    if (!account.success) return show(request, response, interaction, 'A name has 1 to 40 ordinary characters.')
    const grant = new provider.Grant({
      accountId: account.data,
      clientId: requestParameter(interaction, 'client_id'),
    })
    const scopes = requestedScopes(interaction)
    grant.addOIDCScope(scopes.join(' '))
    if (scopes.includes(sandboxScope)) grant.addResourceScope(addresses.mcpUrl, sandboxScope)
    const result = { login: { accountId: account.data }, consent: { grantId: await grant.save() } }
    return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false })
  }

  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const isPost = request.method === 'POST'
    if (!isPost && request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD, POST' }).end()
      return
    }
    // Pages on other ports of localhost count as the same site, so SameSite cookies alone would let them post here.
    const site = request.headers['sec-fetch-site']
    if (isPost && site !== undefined && site !== 'same-origin') {
      response.writeHead(403, pageHeaders).end(noticePage(foreignForm))
      return
    }
    const interaction = await provider.interactionDetails(request, response).catch(() => undefined)
    if (interaction === undefined) {
      response.writeHead(400, pageHeaders).end(noticePage(expired))
      return
    }
    await (isPost ? take : show)(request, response, interaction)
  }
}

const expired = {
  title: 'This page has expired',
  text: 'The request behind it is answered already, older than ten minutes, or was begun in another browser.',
  hint: 'Go back to the application that sent you here and start again.',
}

const foreignForm = {
  title: 'That came from another page',
  text: 'The answer was not sent from the sandbox’s own page, so it was dropped.',
  hint: 'Go back to the application that sent you here and start again.',
}

function requestParameter(interaction: Interaction, name: string): string {
  const value = interaction.params[name]
  return typeof value === 'string' ? value : ''
}

function requestedScopes(interaction: Interaction): string[] {
  return requestParameter(interaction, 'scope')
    .split(' ')
    .filter((scope) => scope !== '')
}

function describeRedirect(redirectUri: string): string {
  if (!URL.canParse(redirectUri)) return 'an unknown address'
  const url = new URL(redirectUri)
  return url.protocol === 'https:' || url.protocol === 'http:' ? url.host : `${url.protocol} (an application)`
}
