import { Secret } from '../kernel/secret.ts'
import { findLiveInstance } from './instance-lock.ts'

/**
 * The database of this installation: the one that `DATABASE_URL` names, else the embedded one of the Patchbay that runs
 * on the data folder.
 *
 * @returns null when neither is there
 */
export async function findDatabase(databaseUrl: Secret | undefined, dataDir: string): Promise<Secret | null> {
  if (databaseUrl !== undefined) return databaseUrl
  const instance = await findLiveInstance(dataDir)
  return instance?.databaseUrl === undefined ? null : new Secret(instance.databaseUrl)
}
