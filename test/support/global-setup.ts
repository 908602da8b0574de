import { stopTestServer, testServer } from './test-server.ts'

const exitGraceMs = 20_000

/** Run by mocha once, before all tests: so that no suite's own time limit pays for the start of PostgreSQL. */
export async function mochaGlobalSetup(): Promise<void> {
  await testServer()
}

/** Mocha is left to end by itself, so that whatever a test left open shows; it is not left to hang. */
export async function mochaGlobalTeardown(): Promise<void> {
  await stopTestServer()
  setTimeout(() => {
    console.error(`The tests left something open: ${process.getActiveResourcesInfo().join(', ')}`)
    process.exit(1)
  }, exitGraceMs).unref()
}
