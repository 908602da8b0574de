import { type Command, Option } from 'commander'
import { systemClock } from '../kernel/clock.ts'
import type { KeyPurpose } from '../vault/signing-keys.ts'
import { columns } from './columns.ts'
import type { SigningKeyParts } from './open-signing-keys.ts'

const purposes = ['tokens', 'client'] as const satisfies readonly KeyPurpose[]

type RotateOptions = { purpose: KeyPurpose; leaked?: boolean }

/** `patchbay signing-keys status|rotate` */
export function addSigningKeyCommands(program: Command): void {
  const keys = program
    .command('signing-keys')
    .description('the keys that sign: the access tokens of hosts, and our proofs as a client of upstreams')

  keys
    .command('status')
    .description('which keys are published, and which one signs')
    .option('--json', 'print JSON')
    .action((options: { json?: boolean }) => withParts((parts) => status(parts, options)))

  keys
    .command('rotate')
    .description('make the next key: published at once, signing a while later; nothing fails')
    .addOption(
      new Option('--purpose <purpose>', 'tokens: of hosts; client: our proofs to upstreams')
        .choices(purposes)
        .default('tokens'),
    )
    .option('--leaked', 'somebody else may have the keys: a new one signs at once, the others are deleted')
    .addHelpText(
      'after',
      '\nWith --leaked every access token that hosts have is refused at once; they get new ones with their refresh tokens,' +
        '\nwhich go on. Running processes hear of it by themselves.',
    )
    .action(async (options: RotateOptions) => {
      const { recordAct } = await import('./record-act.ts')
      const act = { action: 'rotateSigningKey', targetType: 'signing_key', targetId: options.purpose }
      await withParts((parts) => recordAct(act, () => rotate(parts, options)))
    })
}

/** The program is loaded only when a command needs it: help and mistakes answer at once. */
async function withParts(use: (parts: SigningKeyParts) => Promise<void>): Promise<void> {
  const { withSigningKeys } = await import('./open-signing-keys.ts')
  await withSigningKeys(use)
}

async function status({ storeOf }: SigningKeyParts, { json = false }: { json?: boolean }): Promise<void> {
  const { keyPurposes, phasesAt } = await import('../vault/signing-keys.ts')
  const rows: { purpose: KeyPurpose; kid: string; state: string; signs_from: string }[] = []
  for (const purpose of purposes) {
    for (const { key, phase } of phasesAt(await storeOf(purpose).list(), systemClock.now(), keyPurposes[purpose]))
      rows.push({ purpose, kid: key.kid, state: phase, signs_from: key.signsFrom.toISOString() })
  }
  if (json) console.log(JSON.stringify(rows, null, 2))
  else if (rows.length === 0) console.log('There are no keys yet: the first one is made when it is needed.')
  else {
    const cells = rows.map((row) => [row.purpose, row.kid, row.state, `${row.signs_from.slice(0, 16)}Z`])
    console.log(columns([['purpose', 'key', 'state', 'signs from'], ...cells]))
  }
}

async function rotate({ vault, storeOf }: SigningKeyParts, { purpose, leaked = false }: RotateOptions): Promise<void> {
  const { replaceSigningKeys, rotateSigningKey } = await import('../vault/rotate-signing-key.ts')
  const deps = { store: storeOf(purpose), vault, clock: systemClock, purpose }
  if (leaked) {
    const { kid } = await replaceSigningKeys(deps)
    console.log(`Key ${kid} signs now. All others are deleted, and what they signed is refused.`)
    return
  }
  const { kind, key } = await rotateSigningKey(deps)
  const from = key.signsFrom.toISOString()
  console.log(
    kind === 'rotated'
      ? `Key ${key.kid} is published, and signs from ${from}.`
      : `Nothing to do: key ${key.kid} is next already, and signs from ${from}.`,
  )
}
