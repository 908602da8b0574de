#!/usr/bin/env node
import { Command } from 'commander'
import { productVersion } from '../config/product-version.ts'
import { describeStartFailure } from '../process/run-process.ts'
import { addApiKeyCommands } from './api-keys.ts'
import { addDoctorCommand } from './doctor.ts'
import { addKeyCommands } from './keys.ts'
import { addMigrateCommand } from './migrate.ts'
import { addPresetCommands } from './presets.ts'
import { addStartCommand } from './start.ts'
import { addTenantCommands } from './tenants.ts'

const program = new Command('patchbay')
  .description('Connects remote MCP servers, keeps their tokens fresh, and offers each at one stable URL.')
  .version(productVersion())
  .showHelpAfterError()

addStartCommand(program)
addApiKeyCommands(program)
addDoctorCommand(program)
addKeyCommands(program)
addMigrateCommand(program)
addPresetCommands(program)
addTenantCommands(program)

try {
  await program.parseAsync()
} catch (error) {
  console.error(describeStartFailure(error))
  process.exitCode = 1
}
