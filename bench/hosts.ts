// `npm run bench:hosts`: what hosts wait for. Whether 100,000 registered clients slow the token endpoint down, and how long
// discovery, registration and refresh take while every upstream hangs.
import { once } from 'node:events'
import { createServer } from 'node:net'
import { performance } from 'node:perf_hooks'
import { withConnection } from '../src/storage/ensure-database.ts'
import { createConnector } from '../test/support/connecting.ts'
import { startPatchbay } from '../test/support/patchbay.ts'
import { createRawHost } from '../test/support/raw-host.ts'

const clients = Number(process.env.CLIENTS ?? 100_000)
const requests = Number(process.env.REQUESTS ?? 400)
const hangingCalls = 60

type Times = { readonly p50: number; readonly p99: number }

/** Does each of them so often, in turns, so that what else the machine does hits all alike. Milliseconds. */
async function time(...works: readonly (() => Promise<unknown>)[]): Promise<Times[]> {
  const times = works.map((): number[] => [])
  for (let index = 0; index < requests; index += 1) {
    for (const [which, work] of works.entries()) {
      const from = performance.now()
      await work()
      times[which]?.push(performance.now() - from)
    }
  }
  return times.map((measured) => {
    measured.sort((a, b) => a - b)
    const at = (share: number) => measured[Math.min(measured.length - 1, Math.floor(measured.length * share))] ?? 0
    return { p50: at(0.5), p99: at(0.99) }
  })
}
const shown = ({ p50, p99 }: Times) => `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`

const silent = createServer((socket) => void socket.on('error', () => undefined))
await once(silent.listen(0, '127.0.0.1'), 'listening')
const { port } = silent.address() as { port: number }

/** A Patchbay, and a host with tokens of it. */
async function settle() {
  const patchbay = await startPatchbay({ env: { REGISTRATIONS_PER_MINUTE: '10000', DATABASE_POOL_SIZE: '10' } })
  const connector = await createConnector(patchbay, `http://127.0.0.1:${port}/mcp`, { credential_scope: 'tenant' })
  const host = createRawHost(patchbay, connector)
  const clientId: string = (await host.register()).body.client_id
  let token: string = (await host.redeem(clientId, await host.authorize(clientId))).body.refresh_token
  const refresh = async () => {
    const { status, body } = await host.refresh(clientId, token)
    if (status !== 200) throw new Error(`refresh was answered ${status}`)
    token = body.refresh_token
  }
  return { patchbay, connector, host, clientId, refresh }
}

const few = await settle()
const many = await settle()
try {
  await withConnection(many.patchbay.databaseUrl, async (client) => {
    await client.query(
      `INSERT INTO oauth_clients (client_id, metadata, secret_hash, created_at, expires_at)
       SELECT 'bench-' || n, metadata, secret_hash, created_at, expires_at
       FROM oauth_clients, generate_series(1, $1) n WHERE client_id = $2`,
      [clients, many.clientId],
    )
    await client.query('ANALYZE oauth_clients')
  })
  await time(few.refresh, many.refresh)
  const [before = { p50: 0, p99: 0 }, after = { p50: 0, p99: 0 }] = await time(few.refresh, many.refresh)
  console.log(`refresh, 1 client:         ${shown(before)}`)
  console.log(`refresh, ${clients + 1} clients: ${shown(after)}`)
  console.log(
    `ratio of the medians ${(after.p50 / before.p50).toFixed(2)}, of p99 ${(after.p99 / before.p99).toFixed(2)}`,
  )

  const { patchbay, connector, host, refresh } = many
  const hanging = Array.from({ length: hangingCalls }, () =>
    patchbay.request('POST', `/api/v1/connectors/${connector}/connect`).catch(() => undefined),
  )
  const path = '/.well-known/oauth-authorization-server'
  const resource = `/.well-known/oauth-protected-resource/connectors/${connector}/mcp`
  const get = (address: string) => patchbay.request('GET', address, { key: null })
  const discovery = () => Promise.all([get(path), get(resource)])
  const names = ['discovery', 'registration', 'refresh']
  const waits = await time(discovery, () => host.register(), refresh)
  console.log(`while ${hangingCalls} connects wait for an upstream that never answers:`)
  for (const [index, times] of waits.entries()) console.log(`  ${names[index]}: ${shown(times)}`)
  await Promise.all(hanging)
} finally {
  await few.patchbay.close()
  await many.patchbay.close()
  silent.close()
}
process.exit()
