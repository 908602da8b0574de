import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { expect } from 'chai'
import { withConnection } from '../../src/storage/ensure-database.ts'
import { createConnector } from '../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { expectRefusal } from '../support/problem.ts'

const connectors = '/api/v1/connectors'
const pem = ({ privateKey }: { privateKey: KeyObject }) =>
  privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const ecKey = pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }))
const oddKey = pem(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }))
const weakKey = pem(generateKeyPairSync('rsa', { modulusLength: 1024 }))

describe('auth of a connector', () => {
  let patchbay: Patchbay
  let count = 0
  const url = () => {
    count += 1
    return `https://auth-${count}.example/mcp`
  }
  const patch = (id: string, body: object) => patchbay.request('PATCH', `${connectors}/${id}`, { body })
  const create = (body: object) => patchbay.request('POST', connectors, { body: { url: url(), ...body } })

  before(async () => {
    patchbay = await startPatchbay()
  })
  after(() => patchbay.close())

  it('token: shows where it goes and that there is one, never the token', async () => {
    const plain = await create({ auth: { type: 'token', token: 'canary-1' } })
    expect(plain.body.auth).to.deep.equal({ type: 'token', header: 'Authorization', scheme: 'Bearer', has_token: true })
    const key = await create({ auth: { type: 'token', token: 'canary-2', header: 'X-Api-Key' } })
    expect(key.body.auth).to.deep.equal({ type: 'token', header: 'X-Api-Key', scheme: '', has_token: true })
    const later = await create({ auth: { type: 'token', scheme: 'Token' } })
    expect(later.body.auth).to.deep.equal({
      type: 'token',
      header: 'Authorization',
      scheme: 'Token',
      has_token: false,
    })
    expect(plain.text + key.text).to.not.contain('canary')
  })

  it('client_credentials: shows the client id and which secret there is, never the secret', async () => {
    const secret = await create({
      auth: { type: 'client_credentials', client_id: 'app', client_secret: 'canary-3' },
    })
    expect(secret.status).to.equal(201)
    expect(secret.body).to.include({ client_id: 'app', has_client_secret: true })
    expect(secret.body.auth).to.include({ type: 'client_credentials', has_private_key: false })
    const key = await create({
      auth: { type: 'client_credentials', client_id: 'app', private_key: ecKey, key_id: 'k1' },
    })
    expect(key.body).to.include({ client_id: 'app', has_client_secret: false })
    expect(key.body.auth).to.deep.equal({
      type: 'client_credentials',
      has_private_key: true,
      key_id: 'k1',
      signing_algorithm: 'ES256',
    })
    expect(secret.text + key.text).to.not.match(/canary|PRIVATE KEY/)
  })

  it('shows members the type alone', async () => {
    const id = await createConnector(patchbay, url(), { auth: { type: 'token', token: 'canary-4' } })
    const member = await patchbay.createKey({ subject: 'member' })

    const { body } = await patchbay.request('GET', `${connectors}/${id}`, { key: member })

    expect(body.auth).to.deep.equal({ type: 'token' })
  })

  it('CR-01: seals every secret', async () => {
    await create({ auth: { type: 'token', token: 'canary-sealed' } })
    await create({ auth: { type: 'client_credentials', client_id: 'app', private_key: ecKey } })
    const rows = await withConnection(patchbay.databaseUrl, async (client) =>
      JSON.stringify((await client.query('SELECT * FROM connectors')).rows),
    )
    expect(rows).to.contain('sealed_token').and.not.contain('canary-sealed').and.not.contain('PRIVATE KEY')
  })

  it('is replaced as a whole, and takes its client with it', async () => {
    const id = await createConnector(patchbay, url(), {
      auth: { type: 'client_credentials', client_id: 'app', private_key: ecKey },
    })
    const replaced = await patch(id, { auth: { type: 'client_credentials', client_id: 'app', client_secret: 's' } })
    expect(replaced.body.auth).to.include({ has_private_key: false, signing_algorithm: null })
    expect(replaced.body.has_client_secret).to.equal(true)

    const auto = await patch(id, { auth: { type: 'auto' } })
    expect(auto.body).to.include({ client_id: null, has_client_secret: false })
    expect(auto.body.auth).to.deep.equal({ type: 'auto' })
  })

  it('leaves a client that was given beside it alone', async () => {
    const id = await createConnector(patchbay, url(), { client_id: 'mine', client_secret: 's' })
    const { body } = await patch(id, { auth: { type: 'oauth2' } })
    expect(body).to.include({ client_id: 'mine', has_client_secret: true })
  })

  const credentials = { type: 'client_credentials', client_id: 'app' }
  const refused: readonly (readonly [string, object, string])[] = [
    ['a token with a line break', { type: 'token', token: 'a\r\nx-evil: 1' }, 'auth.token'],
    ['a token that is blank', { type: 'token', token: ' ' }, 'auth.token'],
    ['a header that is none', { type: 'token', token: 't', header: 'x y' }, 'auth.header'],
    ['a header of the protocol', { type: 'token', token: 't', header: 'Mcp-Session-Id' }, 'auth.header'],
    ['a header between machines', { type: 'token', token: 't', header: 'Transfer-Encoding' }, 'auth.header'],
    ['a scheme with a space', { type: 'token', token: 't', scheme: 'a b' }, 'auth.scheme'],
    ['a client without proof', { ...credentials }, 'auth.client_secret'],
    ['a client with two proofs', { ...credentials, client_secret: 's', private_key: ecKey }, 'auth.client_secret'],
    ['a client without an id', { type: 'client_credentials', client_secret: 's' }, 'auth.client_id'],
    ['a key that is none', { ...credentials, private_key: 'canary' }, 'auth.private_key'],
    [
      'a key that cannot be read',
      { ...credentials, private_key: '-----BEGIN PRIVATE KEY-----\ncanary' },
      'auth.private_key',
    ],
    ['a key of another curve', { ...credentials, private_key: oddKey }, 'auth.private_key'],
    ['a key that is too short', { ...credentials, private_key: weakKey }, 'auth.private_key'],
    [
      'a key that cannot sign so',
      { ...credentials, private_key: ecKey, signing_algorithm: 'RS256' },
      'auth.private_key',
    ],
  ]
  for (const [what, auth, path] of refused) {
    it(`refuses ${what}, and stores nothing`, async () => {
      const answer = await expectRefusal(patchbay, () => create({ auth }), { code: 'invalid_request', paths: [path] })
      expect(answer.text).to.not.match(/canary|PRIVATE/)
    })
  }

  it('refuses a client beside client_credentials', async () => {
    const auth = { ...credentials, client_secret: 's' }
    await expectRefusal(patchbay, () => create({ auth, client_id: 'other' }), {
      code: 'invalid_request',
      paths: ['client_id'],
    })
    const id = await createConnector(patchbay, url(), { auth })
    await expectRefusal(patchbay, () => patch(id, { client_id: 'other' }), {
      code: 'invalid_request',
      paths: ['client_id'],
    })
  })
})
