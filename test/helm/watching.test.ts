import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { parse } from 'yaml'
import { packageRoot } from '../../src/config/package-root.ts'
import { createMetrics } from '../../src/metrics/metrics.ts'

const files = join(packageRoot(), 'helm', 'files')
const alertsFile = join(files, 'alerts.yaml')
const promtool = process.env.PROMTOOL ?? 'promtool'

type Rule = { alert: string; expr: string; annotations: { summary: string; runbook: string } }

describe('alert rules and dashboard', () => {
  const known = new Set(
    createMetrics()
      .describe()
      .map(({ name }) => name),
  )
  const alerts: Rule[] = parse(readFileSync(alertsFile, 'utf8')).groups.flatMap(({ rules }: { rules: Rule[] }) => rules)
  const model: { panels: { title: string; targets: { expr: string }[] }[] } = JSON.parse(
    readFileSync(join(files, 'dashboard.json'), 'utf8'),
  )
  /** Histograms are asked for by their buckets. */
  const metricsIn = (expr: string) =>
    [...expr.matchAll(/patchbay_\w+/g)].map(([name]) => name.replace(/_(bucket|sum|count)$/, ''))

  it('ask for metrics that there are', () => {
    const asked = [
      ...alerts.map(({ expr }) => expr),
      ...model.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    ]
    expect(asked.length).to.be.greaterThan(15)
    for (const expr of asked) {
      expect(metricsIn(expr), expr).not.to.deep.equal([])
      for (const name of metricsIn(expr)) expect(known.has(name), name).to.equal(true)
    }
    // the control
    expect(known.has('patchbay_no_such_thing')).to.equal(false)
  })

  it('lead to a chapter of docs/operations.md, which names the metrics of each', () => {
    const text = readFileSync(join(packageRoot(), 'docs', 'operations.md'), 'utf8')
    for (const { alert, expr, annotations } of alerts) {
      const [document, chapter] = annotations.runbook.split(', ')
      expect(document, alert).to.equal('docs/operations.md')
      expect(text, alert).to.include(`## ${chapter}\n`)
      for (const name of metricsIn(expr)) expect(text, alert).to.include(name)
    }
  })

  it('are taken by promtool', function () {
    if (!hasPromtool()) this.skip()
    const said = execFileSync(promtool, ['check', 'rules', alertsFile], { encoding: 'utf8' })
    expect(said).to.include(`SUCCESS: ${alerts.length} rules found`)
  })
})

function hasPromtool(): boolean {
  try {
    execFileSync(promtool, ['--version'], { stdio: 'pipe' })
    return true
  } catch {
    return false
  }
}
