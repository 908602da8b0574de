const { reporters, Runner } = require('mocha')
const allowedSkips = require('../allowed-skips.json')

// Set by test/support/lanes.ts.
const skippedLane = Symbol.for('patchbay.skipped-lane')

/**
 * Mocha's usual report, which then names every skipped test with its reason and closes with one line that programs
 * can read: `N passed, N failed, N skipped`. A skip that nobody allowed counts as a failure: one that is not in
 * test/allowed-skips.json, and in CI also one of a lane, since CI has the programs.
 */
class Reporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options)
    const skipped = []
    runner.on(Runner.constants.EVENT_TEST_PENDING, (test) => skipped.push(judge(test)))
    this.done = (failures, finish) => {
      const refused = skipped.filter((skip) => !skip.isAllowed)
      for (const { title, reason } of skipped) console.log(`  skipped: ${title} (${reason})`)
      const failed = failures + refused.length
      console.log(`\n${this.stats.passes} passed, ${failed} failed, ${skipped.length - refused.length} skipped`)
      finish(failed)
    }
  }
}

function judge(test) {
  const title = test.fullTitle()
  const lane = laneOf(test)
  if (lane !== undefined) {
    const isCi = process.env.CI === 'true'
    return { title, isAllowed: !isCi, reason: `${allowedSkips.lanes[lane]}${isCi ? ': not allowed in CI' : ''}` }
  }
  const reason = allowedSkips.tests[title]
  return { title, isAllowed: reason !== undefined, reason: reason ?? 'not allowed: not in test/allowed-skips.json' }
}

function laneOf(runnable) {
  return runnable === undefined ? undefined : (runnable[skippedLane] ?? laneOf(runnable.parent))
}

module.exports = Reporter
