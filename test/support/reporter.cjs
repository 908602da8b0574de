const { reporters, Runner } = require('mocha')

/**
 * Mocha's usual report, which then names every skipped test with its reason and closes with one line that programs
 * can read: `N passed, N failed, N skipped`.
 */
class Reporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options)
    const skipped = []
    runner.on(Runner.constants.EVENT_TEST_PENDING, (test) => skipped.push(test))
    this.done = (failures, finish) => {
      this.close(skipped, failures)
      finish(failures)
    }
  }

  close(skipped) {
    const { passes, failures } = this.stats
    for (const test of skipped) console.log(`  skipped: ${test.fullTitle()}`)
    console.log(`${passes} passed, ${failures} failed, ${skipped.length} skipped`)
  }
}

module.exports = Reporter
