const {
  reporters: { Spec },
  Runner,
} = require('mocha')
module.exports = class extends Spec {
  constructor(r, o) {
    super(r, o)
    r.once(Runner.constants.EVENT_RUN_END, () => {
      const s = r.stats
      console.log(`mocha: ${s.passes} passed, ${s.failures} failed, ${s.pending} skipped`)
    })
  }
}
