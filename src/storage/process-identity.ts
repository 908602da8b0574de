import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** A process, told apart from a later one that was given the same number. */
export type ProcessIdentity = {
  readonly pid: number
  /** Opaque: equal for one process, different for the next one with its number. */
  readonly mark: string
}

function fromProc(pid: number): string | undefined {
  // proc(5): the name stands in brackets and may hold anything, so the fields are counted from the last bracket.
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const state = fields[0]
  if (state === 'Z' || state === 'X') return undefined
  // Ticks since boot: unique only together with the boot they count from.
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return `${boot}/${fields[19]}`
}

function fromPs(pid: number): string | undefined {
  const result = spawnSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
    encoding: 'utf8',
    // The same words for everybody who asks, whatever their shell's language and time zone.
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
  })
  const line = result.status === 0 ? result.stdout.trim() : ''
  if (line === '' || line.startsWith('Z')) return undefined
  return line.slice(line.indexOf(' ') + 1).trim()
}

/** Who runs under this number now; undefined when nobody does (a zombie counts as nobody). */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined
  try {
    const mark = process.platform === 'linux' ? fromProc(pid) : fromPs(pid)
    return mark === undefined ? undefined : { pid, mark }
  } catch {
    return undefined
  }
}

/** The process that asks. */
export function ownIdentity(): ProcessIdentity {
  return identifyProcess(process.pid) ?? { pid: process.pid, mark: 'unknown' }
}

/** True while exactly this process lives. */
export function isProcessAlive(identity: ProcessIdentity): boolean {
  return identifyProcess(identity.pid)?.mark === identity.mark
}

/** The command line of a process, its arguments joined by blanks; undefined when it cannot be read. */
export function readCommandLine(pid: number): string | undefined {
  if (process.platform === 'linux') {
    try {
      const text = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
      return text === '' ? undefined : text
    } catch {
      return undefined
    }
  }
  const result = spawnSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], {
    encoding: 'utf8',
    env: { PATH: '/usr/bin:/bin' },
  })
  return result.status === 0 ? result.stdout.trim() : undefined
}
