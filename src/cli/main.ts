#!/usr/bin/env node
import { Command } from 'commander'
import { productVersion } from '../config/product-version.ts'
import { describeStartFailure } from '../process/run-process.ts'
import { addApiKeyCommands } from './api-keys.ts'
import { addAuditCommands } from './audit.ts'
import { addClientCommands } from './clients.ts'
import { addCompletionCommand } from './completion.ts'
import { addConnectCommand } from './connect.ts'
import { addConnectorCommands } from './connectors.ts'
import { addDoctorCommand } from './doctor.ts'
import { addKeyCommands } from './keys.ts'
import { addMigrateCommand } from './migrate.ts'
import { addPresetCommands } from './presets.ts'
import { addSigningKeyCommands } from './signing-keys.ts'
import { addStartCommand } from './start.ts'
import { addStatusCommand } from './status.ts'
import { addTenantCommands } from './tenants.ts'

const program = new Command('patchbay')
  .description('Connects remote MCP servers, keeps their tokens fresh, and offers each at one stable URL.')
  .version(productVersion())
  .showHelpAfterError()

addStartCommand(program)
addStatusCommand(program)
addConnectorCommands(program)
addConnectCommand(program)
addDoctorCommand(program)
addApiKeyCommands(program)
addAuditCommands(program)
addClientCommands(program)
addKeyCommands(program)
addMigrateCommand(program)
addPresetCommands(program)
addSigningKeyCommands(program)
addTenantCommands(program)
addCompletionCommand(program)

try {
  await program.parseAsync()
} catch (error) {
  console.error(describeStartFailure(error))
  process.exitCode = 1
}
