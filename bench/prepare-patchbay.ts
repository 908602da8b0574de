import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { createApp } from '../src/app.ts'
import { readSettings } from '../src/config/settings.ts'
import { Secret } from '../src/kernel/secret.ts'
import { createLogger } from '../src/log/logger.ts'
import { prepareDatabase } from '../src/process/prepare-database.ts'
import { startEmbeddedPostgres } from '../src/storage/embedded-postgres.ts'

/** So many that none of them comes near the limit on calls per second. */
const callers = 160

/** A database with callers and one connected connector, and what the server process needs to know. */
export async function preparePatchbay(folder: string, upstreamUrl: string, port: number) {
  const postgres = await startEmbeddedPostgres({ dataDir: folder, durable: false, log: { info() {}, warn() {} } })
  const issuer = await startIssuer()
  const env = {
    PORT: String(port),
    DATABASE_URL: postgres.url,
    ENCRYPTION_KEYS: `bench:${randomBytes(32).toString('base64')}`,
    OIDC_ISSUER: issuer.url,
    OIDC_AUDIENCE: 'patchbay-bench',
  }
  const settings = readSettings(env)
  const log = createLogger('silent', { write() {} })
  const databaseUrl = new Secret(postgres.url)
  await prepareDatabase(databaseUrl, settings, log)
  const app = createApp({ settings, databaseUrl, log, env })
  await app.bootstrapAccess(undefined)
  const tenant = await app.access.ensureTenant('default', 'Default')
  const apiKeys: string[] = []
  for (let index = 0; index < callers; index += 1) {
    const who = {
      tenantId: tenant.id,
      label: `caller ${index}`,
      kind: 'user',
      subject: `caller-${index}`,
      role: 'member',
    } as const
    apiKeys.push((await app.issueApiKey(who)).key.reveal())
  }
  const admin = await app.issueApiKey({
    tenantId: tenant.id,
    label: 'admin',
    kind: 'service',
    subject: 'admin',
    role: 'admin',
  })
  const connectorId = await connect(app, { key: admin.key.reveal(), url: upstreamUrl, port })
  await app.close()
  return {
    env: { ...env, METRICS_PORT: '0' },
    path: `/connectors/${connectorId}/mcp`,
    apiKeys,
    tokens: await Promise.all(apiKeys.map((_, index) => issuer.sign(`caller-${index}`))),
    async close() {
      issuer.close()
      await postgres.stop()
    },
  }
}

/** A connector without credentials that the whole tenant shares. */
async function connect(
  app: ReturnType<typeof createApp>,
  { key, url, port }: { key: string; url: string; port: number },
): Promise<string> {
  const { frontDoor, mcpEndpoint } = app.createHttp(app.createReadinessCheck(() => false))
  const server = createServer(frontDoor.handle)
  await once(server.listen(port, '127.0.0.1'), 'listening')
  const post = async (path: string, body: object) => {
    const response = await fetch(`http://localhost:${port}/api/v1/connectors${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    return (await response.json()) as { id: string; state: string }
  }
  const { id } = await post('', { url, auth: { type: 'none' } })
  const { state } = await post(`/${id}/connect`, {})
  if (state !== 'connected') throw new Error(`the connector is ${state}`)
  mcpEndpoint.stop()
  server.close()
  server.closeAllConnections()
  return id
}

async function startIssuer() {
  const { privateKey, publicKey } = await generateKeyPair('RS256')
  const keys = [{ ...(await exportJWK(publicKey)), kid: 'bench', alg: 'RS256', use: 'sig' }]
  const server = createServer((request, response) => {
    const body = request.url === '/jwks' ? { keys } : { issuer: url, jwks_uri: `${url}/jwks` }
    response.setHeader('content-type', 'application/json').end(JSON.stringify(body))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
  return {
    url,
    sign: (subject: string) =>
      new SignJWT({ scope: 'anything' })
        .setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', kid: 'bench' })
        .setIssuer(url)
        .setAudience('patchbay-bench')
        .setSubject(subject)
        .setIssuedAt()
        .setExpirationTime('2h')
        .sign(privateKey),
    close: () => void server.close(),
  }
}
