import { join } from 'node:path'
import { newId } from '../kernel/id.ts'

/** The processes that one start of the server runs on one port. */
export type ServerGroup = {
  /** Unlike that of any other start. */
  readonly server: string
  /** For the sockets by which they reach one another. Readable by nobody else. */
  readonly folder: string
}

/** Where a session lives: the process that opened it. */
export type Home = {
  readonly server: string
  readonly process: string
  /** Where the processes of that server are reached from elsewhere; null when the operator named no such place. */
  readonly url: string | null
}

export type OwnPlace = Home & {
  /** Null for a server of one process, as is `socketPath`: where this process listens for its siblings. */
  readonly folder: string | null
  readonly socketPath: string | null
}

/**
 * @param group null for a server of one process
 * @param internalUrl the setting `INTERNAL_URL`, an origin
 */
export function createOwnPlace(group: ServerGroup | null, internalUrl: string | null): OwnPlace {
  const process = newId()
  const own = { server: group?.server ?? newId(), process, url: internalUrl }
  if (group === null) return { ...own, folder: null, socketPath: null }
  return { ...own, folder: group.folder, socketPath: socketPathOf(group.folder, process) }
}

/** The socket of that process in the folder of its group. */
export function socketPathOf(folder: string, process: string): string {
  return join(folder, `${process}.sock`)
}
