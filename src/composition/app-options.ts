import type { Settings } from '../config/settings.ts'
import type { Timings } from '../config/timings.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Secret } from '../kernel/secret.ts'
import type { Tracing } from '../kernel/tracing.ts'
import type { Logger } from '../log/logger.ts'
import type { ServerGroup } from '../proxy/own-place.ts'
import type { RefreshParts } from './compose-refresh.ts'
import type { EgressParts } from './outside.ts'

/** What a process is made of, and what takes the place of its usual parts. */
export type AppOptions = {
  readonly settings: Settings
  readonly databaseUrl: Secret
  readonly log: Logger
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock?: Clock
  readonly timings?: Timings
  readonly egress?: EgressParts
  /** Where traces go; none by default. */
  readonly tracing?: Tracing
  /** In place of parts of refreshing, for tests. */
  readonly refresh?: RefreshParts
  /** Where several server processes share a port: by what they find one another. */
  readonly group?: ServerGroup
}
