import { expect } from 'chai'
import { createConnector } from '../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { type BearerAdder, startBearerAdder } from './add-bearer.ts'
import { type Fixture, startFixture } from './fixture/start-fixture.ts'
import { requiredScenarios, runServerSuite, type ScenarioResult } from './run-suite.ts'

const revisions = [
  { revision: '2025-11-25', count: 30 },
  { revision: '2026-07-28', count: 37 },
]

describe("a server behind Patchbay, in MCP's conformance suite", () => {
  let fixture: Fixture
  let patchbay: Patchbay
  let direct: BearerAdder
  let through: BearerAdder

  before(async function () {
    this.timeout(60_000)
    fixture = await startFixture()
    patchbay = await startPatchbay()
    const id = await createConnector(patchbay, fixture.url, { auth: { type: 'token' } })
    const connected = await patchbay.request('POST', `/api/v1/connectors/${id}/connect`, {
      body: { access_token: fixture.token },
    })
    expect(connected.body.state, connected.text).to.equal('connected')
    direct = await startBearerAdder(fixture.url, fixture.token)
    through = await startBearerAdder(`${patchbay.url}/connectors/${id}/mcp`, patchbay.admin)
  })

  after(async () => {
    await through?.close()
    await direct?.close()
    await patchbay?.close()
    await fixture?.close()
  })

  for (const { revision, count } of revisions) {
    describe(revision, () => {
      const required = requiredScenarios('server', revision)
      let without: readonly ScenarioResult[] = []
      let within: readonly ScenarioResult[] = []

      before(async function () {
        this.timeout(240_000)
        const options = ['--requirements', revision]
        without = await runServerSuite({ options, url: direct.url })
        within = await runServerSuite({ options, url: through.url })
      })

      after(() => printScores(revision, required, { without, within }))

      it(`is judged by ${count} scenarios`, () => {
        expect(required).to.have.lengthOf(count)
        expect(within.map(({ scenario }) => scenario)).to.include.members(required)
      })

      it('passes all of them, as it does without Patchbay', () => {
        for (const results of [without, within]) {
          const judged = results.filter(({ scenario }) => required.includes(scenario))
          expect(judged.filter((result) => !isClean(result))).to.deep.equal([])
        }
      })

      it('is told the same in every check, scored or not', () => {
        const verdicts = (results: readonly ScenarioResult[]) =>
          Object.fromEntries(results.map((result) => [result.scenario, result.verdicts]))
        expect(verdicts(within)).to.deep.equal(verdicts(without))
      })
    })
  }
})

const isClean = ({ complaints, passed }: ScenarioResult) => complaints.length === 0 && passed > 0

/** The score table, both runs side by side. */
function printScores(
  revision: string,
  required: readonly string[],
  { without, within }: Record<'without' | 'within', readonly ScenarioResult[]>,
): void {
  const score = (results: readonly ScenarioResult[]) => {
    const judged = results.filter(({ scenario }) => required.includes(scenario))
    const checks = judged.reduce((sum, { passed }) => sum + passed, 0)
    return `${judged.filter(isClean).length} of ${required.length} (${checks} checks)`
  }
  const rows = required.map((name) => {
    const cells = [without, within].map((results) => {
      const result = results.find(({ scenario }) => scenario === name)
      return result !== undefined && isClean(result) ? `ok ${String(result.passed).padStart(3)}` : '--    '
    })
    return `    ${name.padEnd(46)} ${cells.join('   ')}`
  })
  const head = `    ${''.padEnd(46)} direct   through Patchbay`
  const title = `    conformance, server, ${revision}: direct ${score(without)}, through Patchbay ${score(within)}`
  console.log(`\n${title}\n${head}\n${rows.join('\n')}\n`)
}
