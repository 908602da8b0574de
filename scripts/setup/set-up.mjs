import { buildProgram } from './build.mjs'
import { installDependencies } from './dependencies.mjs'
import { withSetupLock } from './lock.mjs'
import { generateClient } from './prisma-client.mjs'
import { CommandFailed } from './run.mjs'

/**
 * Makes a checkout ready to run: dependencies, Prisma's client, the build in dist/. Each only when it is stale, so
 * that a second call takes a moment. Calls that run at the same time take turns. Ends the process when a step fails.
 */
export async function setUp() {
  try {
    await withSetupLock(async () => {
      await installDependencies()
      await generateClient()
      await buildProgram()
    })
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    console.error(`\n${error.message}`)
    process.exit(1)
  }
}
