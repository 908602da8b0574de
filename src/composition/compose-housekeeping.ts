import { createKeepHouse } from '../audit/keep-house.ts'
import type { Settings } from '../config/settings.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Storage } from '../storage/open-storage.ts'

type Deps = { readonly settings: Settings; readonly storage: Pick<Storage, 'housekeeping'>; readonly clock: Clock }

/** What deletes what is over, wired: part of the composition root. */
export function composeHousekeeping({ settings, storage, clock }: Deps) {
  return createKeepHouse({
    store: storage.housekeeping,
    clock,
    keptDays: {
      events: settings.EVENTS_KEPT_DAYS,
      deliveries: settings.DELIVERIES_KEPT_DAYS,
      analytics: settings.ANALYTICS_KEPT_DAYS,
      audit: settings.AUDIT_KEPT_DAYS,
    },
  })
}
