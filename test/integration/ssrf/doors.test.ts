import { expect } from 'chai'
import type { EgressParts } from '../../../src/composition/outside.ts'
import type { AddressPolicy } from '../../../src/egress/address-policy.ts'
import { withConnection } from '../../../src/storage/ensure-database.ts'
import { createConnector } from '../../support/connecting.ts'
import { openGate } from '../../support/open-gate.ts'
import { startPatchbay } from '../../support/patchbay.ts'
import { until } from '../../support/until.ts'
import { type Canary, startCanaries } from '../egress/canary.ts'
import { certificate } from '../egress/tls-fixture.ts'
import { addressForms, resolveForm } from './address-forms.ts'
import { type Attacker, startAttacker } from './attacker.ts'
import { authorize, callTool, connect, type Door, doors, refresh, type Stage } from './doors.ts'

const canaryAddresses = ['127.0.0.1', '127.0.0.2', '::1']
const attackerAddress = '127.0.0.3'
const permissive: AddressPolicy = { checkUrl: () => undefined, isAddressAllowed: () => true }

/** Runs `work` with a Patchbay that may talk to `attacker`, and closes all of it; what runs in the background ends first. */
async function withStage<T>(
  { attacker, ports, egress }: { attacker: Attacker; ports: readonly number[]; egress: EgressParts },
  work: (stage: Stage) => Promise<T>,
): Promise<T> {
  const patchbay = await startPatchbay({
    env: {
      EGRESS_ALLOW: `${attackerAddress}/32:${attacker.port},${attackerAddress}:${attacker.port}`,
      EGRESS_PORTS: ports.join(),
    },
    egress,
    // forty addresses of one authorization server, most of which fail
    refresh: { gate: openGate },
  })
  try {
    return await withConnection(patchbay.databaseUrl, (client) => {
      let last: Promise<unknown> = Promise.resolve()
      const sql: Stage['sql'] = async (statement, values) => {
        const result = last.then(() => client.query(statement, [...values]))
        last = result.catch(() => undefined)
        return (await result).rows
      }
      return work({ patchbay, attacker, sql })
    })
  } finally {
    await patchbay.close()
    await attacker.close()
  }
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0)

describe('server-side request forgery', function () {
  this.timeout(120_000)

  describe('through every door, in every form', () => {
    type Trial = { readonly door: Door; readonly canary: Canary; readonly reached: number }

    /** Each door has canaries of its own; the doors are tried side by side, the forms one after another. */
    async function tryDoors(tried: readonly Door[], addressPolicy?: AddressPolicy): Promise<Trial[]> {
      const attacker = await startAttacker(attackerAddress)
      const canaries = await Promise.all(tried.map(() => startCanaries(canaryAddresses)))
      const egress = { lookup: resolveForm, ...(addressPolicy === undefined ? {} : { addressPolicy }) }
      const ports = canaries.map(({ port }) => port)
      try {
        const trials = await withStage({ attacker, ports, egress }, (stage) =>
          Promise.all(
            tried.map(async (door, index) => {
              const canary = canaries[index]
              if (canary === undefined) throw new Error('a canary for each door')
              const isFound = addressPolicy !== undefined && door.isFollowed
              return { door, canary, reached: await tryForms(stage, { door, canary, name: `door-${index}`, isFound }) }
            }),
          ),
        )
        const vectors = tried.length * addressForms.length
        const guard = addressPolicy === undefined ? 'with the guard' : 'without it'
        const reached = sum(trials.map((trial) => trial.reached))
        console.log(`      ${guard}: ${reached} of ${vectors} (${tried.length} doors x ${addressForms.length} forms)`)
        return trials
      } finally {
        await Promise.all(canaries.map((canary) => canary.close()))
      }
    }

    /** @returns how many forms led to a canary */
    async function tryForms(
      stage: Stage,
      { door, canary, name, isFound }: { door: Door; canary: Canary; name: string; isFound: boolean },
    ): Promise<number> {
      const enter = await door.open(stage, name)
      let reached = 0
      for (const [index, { host, isReachable = true }] of addressForms.entries()) {
        // where nobody objects, nothing is sent off this machine
        if (isFound && !isReachable) continue
        const before = canary.connections()
        const hasCome = () => canary.connections() > before
        await enter(`https://${host}:${canary.port}/x`, index)
        if (isFound) await until(`${door.title}: ${host}`, hasCome, 1000).catch(() => undefined)
        if (hasCome()) reached += 1
      }
      return reached
    }

    it('SS-04: opens no connection', async () => {
      const trials = await tryDoors(doors)
      for (const { door, canary } of trials) expect(canary.connections(), door.title).to.equal(0)
    })

    it('negative control: without the guard at least nine of ten connect', async () => {
      const followed = doors.filter(({ isFollowed }) => isFollowed)
      const trials = await tryDoors(followed, permissive)
      for (const { door, reached } of trials) expect(reached / addressForms.length, door.title).to.be.at.least(0.8)
      const reached = sum(trials.map((trial) => trial.reached))
      expect(reached / (followed.length * addressForms.length)).to.be.at.least(0.9)
    })
  })

  describe('when a name is re-pointed', () => {
    const name = 'pinned.test'
    const bad = [
      ['127.0.0.1'],
      ['127.0.0.2'],
      ['::1'],
      ['::ffff:127.0.0.1'],
      ['0.0.0.0'],
      [attackerAddress, '127.0.0.1'],
      ['127.0.0.1', attackerAddress],
    ]

    /** The attacker and the canaries share a port, so that only what the name means is different. */
    async function withName(
      egress: EgressParts,
      work: (stage: Stage, pointTo: (answers: (count: number) => readonly string[]) => void) => Promise<void>,
    ): Promise<number> {
      const canary = await startCanaries(canaryAddresses)
      const attacker = await startAttacker(attackerAddress, { tlsName: name, port: canary.port })
      let answer: (count: number) => readonly string[] = () => [attackerAddress]
      let count = 0
      const lookup = async () => {
        count += 1
        return answer(count).map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
      }
      try {
        await withStage({ attacker, ports: [canary.port], egress: { lookup, ca: certificate, ...egress } }, (stage) =>
          work(stage, (next) => {
            answer = next
          }),
        )
        return canary.connections()
      } finally {
        await canary.close()
      }
    }

    const afterConnecting = (egress: EgressParts) =>
      withName(egress, async (stage, pointTo) => {
        const { patchbay, attacker } = stage
        const id = await createConnector(patchbay, attacker.lay('granted', {}))
        await authorize(patchbay, id)
        expect((await connect(patchbay, id)).body.state).to.equal('connected')
        for (const addresses of bad) {
          pointTo(() => addresses)
          await refresh(stage, id)
          await callTool(patchbay, id)
          await connect(patchbay, id)
        }
        await patchbay.request('POST', `/api/v1/connectors/${id}/disconnect`)
      })

    // @guards src/egress/address-policy.ts:isAddressAllowed
    it('SS-14: refreshes, calls and revokes nowhere else', async () => {
      expect(await afterConnecting({})).to.equal(0)
    })

    it('negative control: without the guard each of them connects', async () => {
      expect(await afterConnecting({ addressPolicy: permissive })).to.be.at.least(3 * (bad.length - 1))
    })

    const whileConnecting = (egress: EgressParts) =>
      withName(egress, async ({ patchbay, attacker }, pointTo) => {
        for (const first of [0, 1]) {
          pointTo((count) => [count % 2 === first ? '127.0.0.1' : attackerAddress])
          for (let times = 0; times < 5; times += 1) {
            const url = attacker.lay(`rebinding-${first}-${times}`, {})
            await patchbay.request('POST', '/api/v1/doctor', { body: { url } })
          }
        }
      })

    // @guards src/egress/address-policy.ts:isAddressAllowed
    it('SS-05: a resolver that answers differently each time leads nowhere else', async () => {
      expect(await whileConnecting({})).to.equal(0)
    })

    it('negative control: without the guard it does', async () => {
      expect(await whileConnecting({ addressPolicy: permissive })).to.be.at.least(5)
    })
  })
})
