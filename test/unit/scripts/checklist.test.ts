import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { readGuards } from '../../../scripts/checklist/guards.ts'
import { breakSymbol } from '../../../scripts/checklist/mutate.ts'
import { idsOfTitle, readRows } from '../../../scripts/checklist/rows.ts'
import { packageRoot } from '../../../src/config/package-root.ts'

const table = ['| id | priority | what must hold |', '| --- | --- | --- |']
const documentOf = (finished: string, ...rows: string[]) =>
  ['# List', `Finished: ${finished}`, ...table, ...rows].join('\n')

describe('readRows', () => {
  const rows = [
    '| AP-01 | P0 | One. |',
    '| AP-02 | P1 | Two. |',
    '| AP-03 | P0 | Three. |',
    '| SS-01 | P0 | Way out. |',
  ]

  it('reads rows, and marks what is finished: rows, ranges and areas', () => {
    const read = readRows(documentOf('AP-01..02, SS', ...rows))
    expect(read[1]).to.deep.equal({ id: 'AP-02', area: 'AP', priority: 'P1', summary: 'Two.', isFinished: true })
    expect(read.filter(({ isFinished }) => isFinished).map(({ id }) => id)).to.deep.equal(['AP-01', 'AP-02', 'SS-01'])
  })

  it('refuses a row that is there twice, and a finished one that is not there', () => {
    expect(() => readRows(documentOf('', ...rows, ...rows))).to.throw('twice')
    expect(() => readRows(documentOf('AP-04', ...rows))).to.throw('AP-04')
  })

  it('reads ours', () => {
    const ours = readRows(readFileSync(join(packageRoot(), 'docs', 'security-checklist.md'), 'utf8'))
    expect(ours.length).to.be.greaterThan(150)
    expect(ours.some(({ isFinished }) => isFinished)).to.equal(true)
  })
})

describe('idsOfTitle', () => {
  const titles: readonly [title: string, ids: readonly string[]][] = [
    ['SS-07: follows no redirect', ['SS-07']],
    ['SS-07, REL-12: follows no redirect', ['SS-07', 'REL-12']],
    ['follows no redirect (SS-07: never)', []],
    ['SS-07 follows no redirect', []],
  ]
  for (const [title, ids] of titles) {
    it(`finds ${ids.length} in "${title}"`, () => expect(idsOfTitle(title)).to.deep.equal(ids))
  }
})

describe('readGuards', () => {
  const read = (source: string) => readGuards('test/a.test.ts', source)

  it('gives each comment to the title that comes next, in calls and in tables', () => {
    const found = read(`
      it('SS-01: first', () => {})
      // @guards src/a.ts:one
      // @guards src/b.ts:two
      it('SS-02, SS-03: second', () => {})
      // @guards src/c.ts:three
      const rows = [{ title: 'x' }, { title: \`SS-04: \${third}\` }]
    `)
    expect(found.map(({ ids, file, symbol }) => [ids.join(), file, symbol])).to.deep.equal([
      ['SS-02,SS-03', 'src/a.ts', 'one'],
      ['SS-02,SS-03', 'src/b.ts', 'two'],
      ['SS-04', 'src/c.ts', 'three'],
    ])
  })

  it('refuses comments that say nothing', () => {
    expect(() => read(`// @guards src/a.ts\nit('SS-01: x', () => {})`)).to.throw('@guards src/a.ts')
    expect(() => read(`it('SS-01: x', () => {})\n// @guards src/a.ts:one`)).to.throw('before a title')
  })
})

describe('breakSymbol', () => {
  const mutants = (source: string, symbol: string) =>
    Object.fromEntries(breakSymbol('a.ts', source, symbol).map(({ how, source: broken }) => [how, broken]))

  it('takes refusals and checks out of a function, then its answer', () => {
    const source = `function f(a: number): string {\n  if (a > 1) throw new Error('no')\n  return 'x'\n}\nf(1)`
    expect(mutants(source, 'f')).to.deep.equal({
      'throws nothing': `function f(a: number): string {\n  if (a > 1) {}\n  return 'x'\n}\nf(1)`,
      'checks nothing': `function f(a: number): string {\n  if (false) throw new Error('no')\n  return 'x'\n}\nf(1)`,
      'hands through what it is given': `function f(a: number): string { return a }\nf(1)`,
      'always answers null': `function f(a: number): string { return null }\nf(1)`,
      'always answers undefined': `function f(a: number): string { return undefined }\nf(1)`,
    })
  })

  it('makes a judgement always say yes, and always no', () => {
    expect(mutants('const isA = (a: string) => a === "b" && c', 'isA')).to.deep.equal({
      'always answers true': 'const isA = (a: string) => (true)',
      'always answers false': 'const isA = (a: string) => (false)',
    })
  })

  it('finds methods of objects that factories return', () => {
    const source = 'function make() { return { check(url: URL): boolean { return bad(url) } } }'
    expect(Object.keys(mutants(source, 'check'))).to.deep.equal(['always answers true', 'always answers false'])
  })

  it('empties the lists of a function', () => {
    const broken = mutants('const f = (a: A) => g([a.b, a.c])', 'f')
    expect(broken['forgets what it lists']).to.equal('const f = (a: A) => g([])')
  })

  it('asks a database for less, one condition at a time', () => {
    const broken = mutants('const find = (id: Id) => db.rows.find({ where: { id, isOpen: true, }, limit: 1 })', 'find')
    expect(broken['asks without id']).to.include('{ where: { isOpen: true }, limit: 1 }')
    expect(broken['asks without isOpen']).to.include('{ where: { id }, limit: 1 }')
  })

  const constants: readonly [source: string, ...broken: string[]][] = [
    ['const k = 128 * 1024', 'const k = (128 * 1024) * 1000', 'const k = 0'],
    ['const k = /^a$/', 'const k = /(?!)/', 'const k = /^/'],
    ['const k = new Set([1])', 'const k = new Set()'],
    ['const k = [1] as const', 'const k = [] as const'],
    ['const k = z.object({ a }).max(1)', 'const k = z.any()'],
  ]
  for (const [source, ...broken] of constants) {
    it(`breaks ${source}`, () => expect(Object.values(mutants(source, 'k'))).to.deep.equal(broken))
  }

  it('refuses a symbol that is not there, or not the only one', () => {
    expect(() => breakSymbol('a.ts', 'const a = 1', 'b')).to.throw('no "b"')
    expect(() => breakSymbol('a.ts', 'const o = { f() {} }\nconst p = { f() {} }', 'f')).to.throw('several "f"')
  })
})
