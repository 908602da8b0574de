import { stopTestServer, testServer } from './test-server.ts'

/** Run by mocha once, before all tests: so that no suite's own time limit pays for the start of PostgreSQL. */
export async function mochaGlobalSetup(): Promise<void> {
  await testServer()
}

export async function mochaGlobalTeardown(): Promise<void> {
  await stopTestServer()
}
