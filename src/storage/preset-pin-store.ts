import type { PresetPinStore } from '../presets/pin-store.ts'
import type { Database } from './prisma-client.ts'

/** Preset pins in PostgreSQL. */
export function createPrismaPresetPinStore(database: Database): PresetPinStore {
  return {
    async pin(presetId, issuer) {
      await database.presetPin.createMany({ data: [{ presetId, issuer }], skipDuplicates: true })
      return (await database.presetPin.findUniqueOrThrow({ where: { presetId } })).issuer
    },

    async find(presetId) {
      return (await database.presetPin.findUnique({ where: { presetId } }))?.issuer ?? null
    },

    async unpin(presetId) {
      return (await database.presetPin.deleteMany({ where: { presetId } })).count > 0
    },
  }
}
