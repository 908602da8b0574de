import { expect } from 'chai'
import fc from 'fast-check'
import { defaultTimings } from '../../../src/config/timings.ts'
import type { FaultPoint } from '../../../src/connections/refresh-result.ts'
import { withConnection } from '../../../src/storage/ensure-database.ts'
import { askForLink, followLink } from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { type ConnectionRow, connectTo, endPauses, rowOf, updateRow } from '../../support/refreshing.ts'
import { until } from '../../support/until.ts'
import { type ScriptedOAuth, startScriptedOAuth } from '../../support/upstreams/scripted-oauth.ts'
import { respondJson } from '../../support/upstreams/scripted-upstream.ts'

const api = '/api/v1/connectors'
const runs = Number(process.env.MODEL_RUNS ?? '8')

/** What ought to be. */
type Model = {
  state: 'auth_required' | 'connected' | 'disconnected' | 'deleted'
  code: string | null
  /** An unused link to connect with. */
  hasLink: boolean
  /** An earlier refresh has no known end ... */
  isMarked: boolean
  /** ... and the server has used up the refresh token in it. */
  isSpent: boolean
}

/** What is. */
type Real = {
  readonly patchbay: Patchbay
  /** Another process, whose refreshes stop for good at `point`. */
  readonly doomed: Patchbay & { at(point: FaultPoint): void; readonly halted: number }
  readonly upstream: ScriptedOAuth
  readonly label: string
  id: string
  link: string
}

type Step = fc.AsyncCommand<Model, Real>

/** How often each step was taken. */
const taken = new Map<string, number>()

const isGrant = ({ state }: Model) => state === 'connected'
const lost = { state: 'disconnected', hasLink: false, isMarked: false, isSpent: false } as const

/** A step that is open in some states of the model, does something, and moves the model on; then everything must hold. */
function step(
  name: string,
  isOpen: (model: Readonly<Model>) => boolean,
  act: (real: Real, model: Readonly<Model>) => Promise<Partial<Model>>,
): Step {
  return {
    check: isOpen,
    async run(model, real) {
      taken.set(name, (taken.get(name) ?? 0) + 1)
      Object.assign(model, await act(real, { ...model }))
      await endPauses(real.patchbay)
      await expectTruth(model, real)
    },
    toString: () => name,
  }
}

const refresh = ({ patchbay, id }: Real) => patchbay.request('POST', `${api}/${id}/refresh`)

/** A process takes the lease, gets to a point, and is never heard of again. */
async function crash(real: Real, point: FaultPoint): Promise<void> {
  const { doomed, patchbay, id } = real
  const row = await rowOf(patchbay, id)
  const { keeper, renewLeased } = doomed.app.refreshing
  const [leased] = await keeper.take([
    { id: row.id, tenantId: row.tenant_id, grantEpoch: null, tokenVersion: row.token_version },
  ])
  if (leased === undefined) throw new Error('the lease was to be had')
  const before = doomed.halted
  doomed.at(point)
  void renewLeased(leased)
  await until('the refresh to stop', () => doomed.halted > before)
  keeper.forget(leased)
  await updateRow(patchbay, id, "lease_until = now() - interval '1 second'")
}

const steps: readonly Step[] = [
  step(
    'ask for a link',
    ({ state }) => state === 'disconnected' || state === 'auth_required',
    async (real) => {
      real.link = await askForLink(real.patchbay, real.id)
      return { state: 'auth_required', code: null, hasLink: true }
    },
  ),
  step(
    'authorize',
    ({ hasLink }) => hasLink,
    async (real) => {
      expect((await followLink(real.link)).title).to.equal('Authorization Successful')
      return { state: 'connected', code: null, hasLink: false, isMarked: false, isSpent: false }
    },
  ),
  step('refresh', isGrant, async (real, { isSpent }) => {
    await refresh(real)
    if (isSpent) return { ...lost, code: 'refresh_result_lost' }
    return { isMarked: false }
  }),
  step('refresh, and be refused', isGrant, async (real, { isMarked }) => {
    real.upstream.answerTokensWith(respondJson({ error: 'invalid_grant' }, 400))
    await refresh(real)
    real.upstream.answerTokensWith(null)
    return { ...lost, code: isMarked ? 'refresh_result_lost' : 'refresh_token_rejected' }
  }),
  step('refresh, and be told to wait', isGrant, async (real) => {
    real.upstream.answerTokensWith(respondJson({}, 429))
    await refresh(real)
    real.upstream.answerTokensWith(null)
    return {}
  }),
  step('refresh, without an answer', isGrant, async (real) => {
    real.upstream.answerTokensWith(respondJson({}, 502))
    await refresh(real)
    real.upstream.answerTokensWith(null)
    return { isMarked: true }
  }),
  step('crash with the lease taken', isGrant, async (real) => {
    await crash(real, 'lease_taken')
    return { isMarked: true }
  }),
  step('crash with the answer received', isGrant, async (real) => {
    await crash(real, 'answer_received')
    return { isMarked: true, isSpent: true }
  }),
  step('crash after the commit', isGrant, async (real, { isSpent }) => {
    if (isSpent) return {}
    await crash(real, 'after_commit')
    return { isMarked: false }
  }),
  step(
    'refresh from everywhere at once',
    ({ state, isSpent }) => state === 'connected' && !isSpent,
    async (real) => {
      const before = await rowOf(real.patchbay, real.id)
      const sent = real.upstream.tokenRequests.length
      const answers = await Promise.all([refresh(real), refresh(real), refresh(real)])
      for (const { body } of answers) expect(body.state).to.equal('connected')
      expect((await rowOf(real.patchbay, real.id)).token_version).to.be.above(before.token_version)
      const spent = real.upstream.tokenRequests.slice(sent).map(({ form }) => form.refresh_token)
      expect(new Set(spent).size, 'one redemption per version').to.equal(spent.length)
      return { isMarked: false }
    },
  ),
  step(
    'disconnect during a refresh',
    ({ state, isSpent }) => state === 'connected' && !isSpent,
    async (real) => {
      const gate = real.upstream.holdTokens()
      const refreshing = refresh(real)
      await until('the refresh to be under way', () => gate.arrivals === 1)
      await real.patchbay.request('POST', `${api}/${real.id}/disconnect`)
      gate.open()
      await refreshing
      return { ...lost, code: 'client_request' }
    },
  ),
  step('disconnect', isGrant, async (real) => {
    await real.patchbay.request('POST', `${api}/${real.id}/disconnect`)
    return { ...lost, code: 'client_request' }
  }),
  step(
    'delete',
    ({ state }) => state !== 'deleted',
    async (real) => {
      expect((await real.patchbay.request('DELETE', `${api}/${real.id}`)).status).to.equal(204)
      return { state: 'deleted', hasLink: false }
    },
  ),
]

/** Of steps that come at random few are open where nothing is connected, and none after the end. */
const weights: Readonly<Record<string, number>> = { 'ask for a link': 12, authorize: 12, disconnect: 1, delete: 1 }
const choices = steps.flatMap((one) => Array.from({ length: weights[`${one}`] ?? 4 }, () => fc.constant(one)))

/** The invariants, and that things are as the model says. */
async function expectTruth(model: Readonly<Model>, { patchbay, id }: Real): Promise<void> {
  const { status, body } = await patchbay.request('GET', `${api}/${id}`)
  const [row, ...others] = await rows(patchbay, id)
  expect(others).to.deep.equal([])
  if (model.state === 'deleted') {
    expect([status, row]).to.deep.equal([404, undefined])
    return
  }
  expect([body.state, body.disconnect_code]).to.deep.equal([model.state, model.code])
  const hasToken = row !== undefined && row.sealed_access_token !== null
  expect(hasToken, 'a token, if and only if it is connected').to.equal(model.state === 'connected')
  expect(row?.disconnect_reason ?? null, 'a reason, if and only if it is disconnected').to.satisfy(
    (reason: unknown) => (reason !== null) === (model.state === 'disconnected'),
  )
  if (model.state === 'connected') {
    expect(row?.refresh_started_at !== null, 'the mark of an unseen end').to.equal(model.isMarked)
    expect(row?.next_refresh_at, 'it will be renewed').to.not.equal(null)
  }
}

const rows = (patchbay: Patchbay, id: string): Promise<ConnectionRow[]> =>
  withConnection(patchbay.databaseUrl, async (client) => {
    const found = await client.query('SELECT * FROM connections WHERE connector_id = $1', [id])
    return found.rows
  })

describe('the life of a connection', () => {
  const rejections = { ...defaultTimings.refresh.rejections, count: Number.MAX_SAFE_INTEGER }
  const timings = { refresh: { ...defaultTimings.refresh, rejections } }
  let patchbay: Patchbay
  let doomed: Real['doomed']
  let count = 0

  before(async () => {
    patchbay = await startPatchbay({ timings })
    let point: FaultPoint | undefined
    let halted = 0
    const reach = async (reached: FaultPoint) => {
      if (reached !== point) return
      halted += 1
      await new Promise(() => undefined)
    }
    const other = await startPatchbay({ sharing: patchbay, timings, refresh: { reach } })
    doomed = {
      ...other,
      at(next) {
        point = next
      },
      get halted() {
        return halted
      },
    }
  })
  after(async () => {
    await doomed.close()
    await patchbay.close()
  })

  // @guards src/connections/renew-leased.ts:createRenewLeased
  it('REL-28: whatever happens in whatever order, it is what it ought to be, and never connected without a token', async function () {
    this.timeout(240_000)
    const property = fc.asyncProperty(fc.commands(choices, { maxCommands: 60, size: 'max' }), async (plan) => {
      count += 1
      const upstream = await startScriptedOAuth({ expiresInSeconds: 3600 })
      const model: Model = { state: 'connected', code: null, hasLink: false, isMarked: false, isSpent: false }
      const real: Real = { patchbay, doomed, upstream, label: `model ${count}`, id: '', link: '' }
      real.id = await connectTo(patchbay, upstream, { label: real.label })
      try {
        await fc.asyncModelRun(() => ({ model, real }), plan)
      } finally {
        await upstream.close()
      }
    })
    await fc.assert(property, { numRuns: runs, interruptAfterTimeLimit: 90_000, endOnFailure: true })
    console.log(`      ${count} lives: ${steps.map((one) => `${one} ${taken.get(`${one}`) ?? 0}`).join(', ')}`)
    expect(taken.get('refresh')).to.be.above(0)
  })
})
