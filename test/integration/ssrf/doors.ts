import { request } from 'undici'
import { createConnector } from '../../support/connecting.ts'
import type { Answer, Patchbay } from '../../support/patchbay.ts'
import { refreshNow } from '../../support/refresh-now.ts'
import type { Attacker, Trap } from './attacker.ts'

const connectors = '/api/v1/connectors'
const webhooks = '/api/v1/webhooks'

export type Stage = {
  readonly patchbay: Patchbay
  /** The one outside server that may be talked to. */
  readonly attacker: Attacker
  /** Changes what is stored, as a name that is re-pointed or a list that is tightened would change what it means. */
  sql(statement: string, values: readonly string[]): Promise<readonly Readonly<Record<string, string>>[]>
}

export type Door = {
  readonly title: string
  /** Whether an address that enters here is asked at all where no guard stands. */
  readonly isFollowed: boolean
  /**
   * Gets ready.
   *
   * @param name of this door
   * @returns lets an address in; `index` tells the attempts apart
   */
  open(stage: Stage, name: string): Promise<(url: string, index: number) => Promise<unknown>>
}

export const doors: readonly Door[] = [
  {
    title: 'url of a new connector',
    isFollowed: true,
    open: async ({ patchbay }) => {
      return async (url, index) => {
        const { status, body } = await patchbay.request('POST', connectors, { body: { url, label: `new ${index}` } })
        if (status === 201) await connect(patchbay, body.id)
      }
    },
  },
  {
    title: 'changed url of a connector',
    isFollowed: true,
    open: async ({ patchbay, attacker }, name) => {
      const id = await createConnector(patchbay, attacker.lay(name, { isOpen: true }), { label: name })
      return async (url) => {
        const { status } = await patchbay.request('PATCH', `${connectors}/${id}`, { body: { url } })
        if (status === 200) await connect(patchbay, id)
      }
    },
  },
  {
    title: 'stored url, connect',
    isFollowed: true,
    open: async ({ patchbay, attacker, sql }, name) => {
      const id = await createConnector(patchbay, attacker.lay(name, { isOpen: true }), { label: name })
      return async (url) => {
        await sql('UPDATE connectors SET url = $2 WHERE id = $1', [id, serialised(url)])
        await connect(patchbay, id)
      }
    },
  },
  {
    title: 'stored url, proxy',
    isFollowed: true,
    open: async ({ patchbay, attacker, sql }, name) => {
      const id = await createConnector(patchbay, attacker.lay(name, { isOpen: true }), { label: name })
      await connect(patchbay, id)
      return async (url) => {
        await sql('UPDATE connectors SET url = $2 WHERE id = $1', [id, serialised(url)])
        await callTool(patchbay, id)
      }
    },
  },
  {
    title: 'url that the doctor is asked about',
    isFollowed: true,
    open:
      async ({ patchbay }) =>
      (url) =>
        patchbay.request('POST', '/api/v1/doctor', { body: { url } }),
  },
  connecting('resource_metadata of a challenge', (url) => ({ resourceMetadata: url }), { isProbed: true }),
  connecting('redirect of the probe', (url) => ({ redirects: { mcp: url } }), { isProbed: true, isFollowed: false }),
  connecting('authorization_servers', (url) => ({ authorizationServer: url })),
  connecting('redirect of protected resource metadata', (url) => ({ redirects: { resource: url } })),
  connecting('redirect of authorization server metadata', (url) => ({ redirects: { metadata: url } })),
  connecting('registration_endpoint', (url) => ({ metadata: { registration_endpoint: url } })),
  connecting('authorization_endpoint', (url) => ({ metadata: { authorization_endpoint: url } }), {
    isFollowed: false,
    go: authorize,
  }),
  connecting('token_endpoint, code', (url) => ({ metadata: { token_endpoint: url } }), { go: authorize }),
  connecting('revocation_endpoint', (url) => ({ metadata: { revocation_endpoint: url } }), {
    go: authorizeAndDisconnect,
  }),
  {
    title: 'stored token_endpoint, refresh',
    isFollowed: true,
    open: async ({ patchbay, attacker, sql }, name) => {
      const id = await createConnector(patchbay, attacker.lay(name, {}))
      await authorize(patchbay, id)
      return async (url) => {
        // what is no URL at all is never stored
        if (!URL.canParse(url)) return
        await sql('UPDATE connections SET token_endpoint = $2 WHERE connector_id = $1', [id, url])
        await refresh({ patchbay, sql }, id)
      }
    },
  },
  {
    title: 'url of a new webhook',
    isFollowed: true,
    open:
      async ({ patchbay }) =>
      async (url) => {
        const { status, body } = await patchbay.request('POST', webhooks, { body: { url } })
        if (status !== 201) return
        await sendTest(patchbay, body.id)
        await patchbay.request('DELETE', `${webhooks}/${body.id}`)
      },
  },
  {
    title: 'stored url of a webhook',
    isFollowed: true,
    open: async ({ patchbay, attacker, sql }, name) => {
      const { body } = await patchbay.request('POST', webhooks, { body: { url: attacker.lay(name, {}) } })
      return async (url) => {
        if (!URL.canParse(url)) return
        await sql('UPDATE webhooks SET url = $2 WHERE id = $1', [body.id, serialised(url)])
        await sendTest(patchbay, body.id)
      }
    },
  },
]

type ConnectingOptions = {
  readonly isFollowed?: boolean
  /** Whether the server is asked first, without a token. */
  readonly isProbed?: boolean
  /** What is done with the connector. */
  readonly go?: (patchbay: Patchbay, id: string) => Promise<unknown>
}

/** A door that a server opens when somebody connects to it. */
function connecting(title: string, trap: (url: string) => Trap, options: ConnectingOptions = {}): Door {
  const { isFollowed = true, isProbed = false, go = connect } = options
  return {
    title,
    isFollowed,
    open: async ({ patchbay, attacker }, name) => {
      return async (url, index) => {
        const fields = isProbed ? {} : { auth: { type: 'oauth2' } }
        await go(patchbay, await createConnector(patchbay, attacker.lay(`${name}-${index}`, trap(url)), fields))
      }
    },
  }
}

export function connect(patchbay: Patchbay, id: string): Promise<Answer> {
  return patchbay.request('POST', `${connectors}/${id}/connect`, { body: {} })
}

/** Connects, and goes a person's way as far as it leads; the attacker's authorization server says yes. */
export async function authorize(patchbay: Patchbay, id: string): Promise<void> {
  const { body } = await connect(patchbay, id)
  const link = body.auth_request?.authorization_endpoint
  if (link === undefined) return
  const pressed = await patchbay.request('POST', new URL(link).pathname, { key: null })
  const [cookie = ''] = pressed.headers.getSetCookie()
  const target = /content="0;url=([^"]+)"/.exec(pressed.text)?.[1]?.replaceAll('&amp;', '&')
  if (target === undefined) throw new Error(`no way on: ${pressed.text}`)
  const query = new URLSearchParams({ code: 'code', state: new URL(target).searchParams.get('state') ?? '' })
  // not `fetch`, which says that it is no navigation
  const { body: page } = await request(`${patchbay.url}${connectors}/oauth/callback?${query}`, {
    headers: { cookie: cookie.split(';')[0] ?? '' },
  })
  await page.dump()
}

async function authorizeAndDisconnect(patchbay: Patchbay, id: string): Promise<void> {
  await authorize(patchbay, id)
  await patchbay.request('POST', `${connectors}/${id}/disconnect`)
}

export function callTool(patchbay: Patchbay, id: string): Promise<Answer> {
  const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'x' } }
  const headers = { accept: 'application/json, text/event-stream' }
  return patchbay.request('POST', `/connectors/${id}/mcp`, { body, headers })
}

/** Asks for a test message, and does what the worker does then. */
async function sendTest(patchbay: Patchbay, id: string): Promise<void> {
  await patchbay.request('POST', `${webhooks}/${id}/test`)
  const { id: tenantId } = await patchbay.app.access.ensureTenant('default', '')
  await patchbay.app.deliverWebhook({ tenantId, id })
}

/** What the worker does with a connection that is due. */
export async function refresh({ patchbay, sql }: Pick<Stage, 'patchbay' | 'sql'>, connectorId: string): Promise<void> {
  const statement = 'SELECT id, tenant_id FROM connections WHERE connector_id = $1'
  const [row] = await sql(statement, [connectorId])
  if (row?.id === undefined || row.tenant_id === undefined) throw new Error('nothing is connected')
  const outcome = await refreshNow(patchbay.app, { id: row.id, tenantId: row.tenant_id })
  if (outcome === 'not_refreshable') throw new Error('nothing was refreshed')
}

function serialised(url: string): string {
  return URL.canParse(url) ? new URL(url).href : url
}
