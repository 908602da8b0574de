import { expect } from 'chai'
import type { Answer, Patchbay } from './patchbay.ts'
import { expectNothingStored } from './table-counts.ts'

/**
 * Makes sure that an answer is a problem document (RFC 9457) that tells a person what is wrong, and nothing of our insides.
 *
 * @param paths of the fields that are named as wrong; left out: none may be named
 */
function expectProblem(answer: Answer, status: number, code: string, paths: readonly string[] = []): void {
  const { body } = answer
  expect([answer.status, body?.code, body?.detail], answer.text).to.deep.equal([status, code, body?.detail])
  expect(answer.headers.get('content-type')).to.match(/^application\/problem\+json/)
  expect(answer.headers.get('cache-control')).to.equal('no-store')
  expect(answer.headers.get('x-content-type-options')).to.equal('nosniff')
  const keys = ['type', 'title', 'status', 'detail', 'code', 'request_id', ...(paths.length === 0 ? [] : ['errors'])]
  expect(body).to.have.all.keys(keys)
  expect(body).to.include({ type: `urn:patchbay:problem:${code}`, status })
  for (const sentence of [body.title, body.detail]) expect(sentence).to.be.a('string').with.length.greaterThan(5)
  expect(body.request_id).to.equal(answer.headers.get('x-request-id'))
  expect((body.errors ?? []).map(({ path }: { path: string }) => path)).to.deep.equal(paths)
  expect(answer.text).to.not.match(/node_modules|\bat .+:\d+:\d+|prisma|postgres|SELECT|stack/i)
}

export type Refusal = {
  /** Default: 400. */
  readonly status?: number
  readonly code: string
  /** Of the fields that are named as wrong. */
  readonly paths?: readonly string[]
}

/** Sends a request that must be refused: with a clear problem document, and without a new row in any table. */
export async function expectRefusal(
  { databaseUrl }: Patchbay,
  send: () => Promise<Answer>,
  { status = 400, code, paths = [] }: Refusal,
): Promise<Answer> {
  const answer = await expectNothingStored(databaseUrl, send)
  expectProblem(answer, status, code, paths)
  return answer
}
