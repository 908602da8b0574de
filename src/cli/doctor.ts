import type { Command } from 'commander'
import { isAppError } from '../kernel/app-error.ts'

type Options = { json?: boolean; clientId?: string }

/** `patchbay doctor URL` */
export function addDoctorCommand(program: Command): void {
  program
    .command('doctor <url>')
    .description('find out what connecting an MCP server would come to, and what to fix')
    .option('--client-id <id>', 'an OAuth client that you have at its authorization server')
    .option('--json', 'print JSON, as POST /api/v1/doctor answers')
    .addHelpText(
      'after',
      '\nStores and registers nothing, and needs no database. Exits with 1 when connecting would fail.',
    )
    .action(run)
}

/** Everything is loaded only now: help and mistakes answer at once. */
async function run(url: string, { json = false, clientId }: Options): Promise<void> {
  const [outside, doctor, { readSettings }, { defaultTimings }, { createLogger }, rendering, { representDiagnosis }] =
    await Promise.all([
      import('../composition/outside.ts'),
      import('../doctor/diagnose.ts'),
      import('../config/settings.ts'),
      import('../config/timings.ts'),
      import('../log/logger.ts'),
      import('./doctor-report.ts'),
      import('../http/representations.ts'),
    ])
  const composed = outside.createOutside({
    settings: readSettings(process.env),
    env: process.env,
    timings: defaultTimings,
  })
  const diagnose = doctor.createDiagnose({
    ...composed,
    // Pins are in the database, which this command leaves alone.
    findPinnedIssuer: async () => null,
    log: createLogger('silent'),
  })
  try {
    const diagnosis = await diagnose({ url, isGuardShown: true, ...(clientId === undefined ? {} : { clientId }) })
    const hasColour = process.stdout.isTTY === true && (process.env.NO_COLOR ?? '') === ''
    console.log(
      json
        ? JSON.stringify(representDiagnosis(diagnosis), null, 2)
        : rendering.renderDiagnosis(diagnosis, { hasColour }),
    )
    if (diagnosis.verdict !== 'connected' && diagnosis.verdict !== 'auth_required') process.exitCode = 1
  } catch (error) {
    throw new Error(isAppError(error) ? (error.publicDetail ?? error.message) : 'The diagnosis failed.', {
      cause: error,
    })
  } finally {
    await composed.close()
  }
}
