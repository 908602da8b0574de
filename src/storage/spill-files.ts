import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { SpillPlace } from '../connections/spill.ts'

const fileName = /^[0-9a-f-]{36}\.\d{1,10}\.\d{1,10}$/

/** Spilled results as files in a folder, one each, readable by their owner only. Written through to the disk. */
export function createSpillFiles(folder: string): SpillPlace {
  return {
    async put(name, text) {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const draft = join(folder, `${name}.${process.pid}.part`)
      const file = await open(draft, 'w', 0o600)
      try {
        await file.writeFile(text)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(draft, join(folder, name))
      // the name itself is on the disk only when the folder is
      const directory = await open(folder, 'r')
      try {
        await directory.sync()
      } finally {
        await directory.close()
      }
    },

    async get(name) {
      return orElse(null, () => readFile(join(folder, name), 'utf8'))
    },

    async names() {
      return (await orElse([], () => readdir(folder))).filter((name) => fileName.test(name))
    },

    async remove(name) {
      await rm(join(folder, name), { force: true })
    },
  }
}

async function orElse<T>(missing: T, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return missing
    throw error
  }
}
