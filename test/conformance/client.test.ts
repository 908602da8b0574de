import { expect } from 'chai'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { type ClientResult, requiredScenarios, runClientSuite } from './run-suite.ts'

const ourScenarios = (revision: string) => requiredScenarios('client', revision)
/** An extension that Patchbay offers. The suite runs it with each revision, and scores it for none. */
const clientCredentials = ['auth/client-credentials-basic', 'auth/client-credentials-jwt']

/** Where a client must stop. The suite sees only that it did; that it did so for the right reason, Patchbay's answer tells. */
const refusals: Readonly<Record<string, string | null>> = {
  'auth/resource-mismatch': 'authorization_server_invalid',
  'auth/metadata-issuer-mismatch': 'authorization_server_invalid',
  'auth/scope-retry-limit': 'insufficient_scope',
  'auth/iss-supported-missing': 'authorization_server_invalid',
  'auth/iss-wrong-issuer': 'authorization_server_invalid',
  'auth/iss-unexpected': 'authorization_server_invalid',
  'auth/iss-normalized': 'authorization_server_invalid',
  // here the suite's server itself breaks off, and the SDK's client says so: a result without `resultType`, and no tools
  'sep-2322-client-request-state': null,
  'json-schema-ref-no-deref': null,
}

const runs = [
  {
    title: '2025-11-25',
    options: ['--requirements', '2025-11-25'],
    judged: [...ourScenarios('2025-11-25'), ...clientCredentials],
    count: 18 + 2,
  },
  {
    title: '2026-07-28',
    options: ['--requirements', '2026-07-28'],
    judged: [...ourScenarios('2026-07-28'), ...clientCredentials],
    count: 32 + 2,
  },
  {
    title: 'servers of 2025-03-26',
    options: ['--suite', 'backcompat'],
    judged: ['auth/2025-03-26-oauth-endpoint-fallback', 'auth/2025-03-26-oauth-metadata-backcompat'],
    count: 2,
  },
]

describe("Patchbay with a client behind it, in MCP's conformance suite", () => {
  for (const { title, options, judged, count } of runs) {
    describe(title, () => {
      let patchbay: Patchbay
      let results: readonly ClientResult[] = []

      before(async function () {
        this.timeout(150_000)
        // The suite's one demand on a setting: the client metadata document that it expects is this.
        const env = {
          CLIENT_METADATA_URL: 'https://conformance-test.local/client-metadata.json',
          DATABASE_POOL_SIZE: '10',
        }
        // One per run: the suite's servers come and go on any port, and a registration is kept by issuer.
        patchbay = await startPatchbay({ env })
        results = await runClientSuite({ options, publicUrl: patchbay.url, key: patchbay.admin })
      })

      after(async () => {
        printScores(title, judged, results)
        await patchbay?.close()
      })

      it(`is judged by ${count} scenarios`, () => {
        expect(judged).to.have.lengthOf(count)
        expect(results.map(({ scenario }) => scenario)).to.include.members(judged)
      })

      for (const scenario of judged) {
        it(scenario, () => {
          const result = results.find((each) => each.scenario === scenario)
          expect(result?.complaints, result?.message).to.deep.equal([])
          expect(result?.passed, 'checks').to.be.greaterThan(0)
          const expected =
            scenario in refusals ? { outcome: 'refused', code: refusals[scenario] } : { outcome: 'used', code: null }
          expect(result?.driver, result?.message).to.deep.equal(expected)
        })
      }
    })
  }
})

/** The score table. What is not judged here is shown as well: the rest of the suite, through the MCP endpoint. */
function printScores(title: string, judged: readonly string[], results: readonly ClientResult[]): void {
  const isClean = ({ complaints, passed }: ClientResult) => complaints.length === 0 && passed > 0
  const rows = results.map((result) => {
    const mark = isClean(result) ? 'ok ' : '-- '
    const note = judged.includes(result.scenario) ? '' : '  (not judged here)'
    return `    ${mark} ${result.scenario.padEnd(46)} ${String(result.passed).padStart(3)} checks${note}`
  })
  const own = results.filter(({ scenario }) => judged.includes(scenario))
  console.log(`\n    conformance, ${title}: ${own.filter(isClean).length} of ${judged.length}\n${rows.join('\n')}\n`)
}
