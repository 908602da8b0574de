// `npm run test:cluster [-- test files]`: the end-to-end tests, and those of the HTTP API, against two servers and two workers
// behind a round-robin balancer, with PostgreSQL and Redis. Tests that put parts of their own into Patchbay keep it in
// their own process.
process.env.PATCHBAY_TEST_CLUSTER = '1'
// each suite starts four processes
process.argv.push('--timeout', '180000')
if (!process.argv.slice(2).some((arg) => arg.endsWith('.ts'))) {
  const journeys = ['journey', 'hosts', 'two-people', 'connect-prompt', 'oauth-by-hand', 'legacy-transports']
  const http = ['connectors', 'list-connectors', 'change-connectors', 'shared-connectors', 'grants', 'links-of-people']
  const files = [
    ...[...journeys, 'consent-in-chromium', 'several-processes'].map((name) => `test/e2e/${name}.test.ts`),
    'test/e2e/clients/*.test.ts',
    'test/e2e/inspector/*.test.ts',
    ...http.map((name) => `test/http/${name}.test.ts`),
    'test/integration/processes/rolling-restart.test.ts',
  ]
  process.argv.push(...files)
}
await import('./test.mjs')
