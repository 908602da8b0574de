import type { AuditLog } from '../audit/audit-log.ts'
import type { Settings } from '../config/settings.ts'
import type { Timings } from '../config/timings.ts'
import { createReadTicket } from '../connections/read-ticket.ts'
import { createReceiveCallback } from '../connections/receive-callback.ts'
import { createStartFlow } from '../connections/start-flow.ts'
import { createBrowserCookie } from '../http/browser-cookie.ts'
import { createConnectPages } from '../http/routes/connect-pages.ts'
import type { Clock } from '../kernel/clock.ts'
import type { PresetCatalog } from '../presets/match-preset.ts'
import type { Storage } from '../storage/open-storage.ts'
import type { Vault } from '../vault/vault.ts'
import type { composeConnecting } from './compose-connecting.ts'
import type { composeHosts } from './compose-hosts.ts'

type Deps = {
  readonly settings: Settings
  readonly timings: Timings
  readonly storage: Storage
  readonly presets: PresetCatalog
  readonly vault: Vault
  readonly clock: Clock
  readonly redirectUri: string
  readonly connecting: ReturnType<typeof composeConnecting>
  readonly audit: AuditLog
  readonly hosts: ReturnType<typeof composeHosts>
}

/** The pages that people see, and what hosts meet on the way there, wired: part of the composition root. */
export function composePages({ settings, timings, storage, connecting, hosts, ...deps }: Deps) {
  const { presets, vault, clock, redirectUri } = deps
  const { prepareAuthorization, chooseClient, connect, findConnectUrl, redeemCallback } = connecting
  const { access, connections, connectors, tickets, flows } = storage
  const publicUrl = settings.PUBLIC_URL
  const browserCookie = createBrowserCookie(publicUrl)
  const readTicket = createReadTicket({ tickets, connections, connectors, clock })
  const startFlow = createStartFlow({
    flows,
    prepareAuthorization,
    chooseClient,
    presets,
    vault,
    clock,
    redirectUri,
    flowTtlMs: timings.flowTtlMs,
  })
  return [
    ...hosts.createRouters({ connections, connect, findConnectUrl, readTicket, startFlow, browserCookie }),
    createConnectPages({
      access,
      presets,
      readTicket,
      startFlow,
      receiveCallback: createReceiveCallback({ flows, connections, redeemCallback, vault, clock }),
      browserCookie,
      personSignIn: hosts.personSignIn,
      audit: deps.audit,
      publicUrl,
      confirmation: settings.CONNECT_CONFIRMATION,
    }),
  ]
}
