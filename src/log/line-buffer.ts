/** Where lines of a log go. */
export type LineDestination = { write(lines: string): void }

/** At most what a pipe takes in one piece (4 KB: POSIX, PIPE_BUF), so that lines of processes that share one stay whole. */
const fullAt = 3584
const flushMs = 100

/**
 * Collects lines and passes them on together: when there are 3.5 KB, ten times a second, and when the process ends. Strings are
 * only joined here; looking at each of them, as writers of lines do, costs as much as the rest of the line.
 */
export function createLineBuffer(destination: LineDestination): LineDestination & { flush(): void } {
  let waiting = ''
  const flush = () => {
    if (waiting === '') return
    const lines = waiting
    waiting = ''
    destination.write(lines)
  }
  setInterval(flush, flushMs).unref()
  process.on('exit', flush)
  return {
    write(line) {
      if (waiting.length + line.length > fullAt) flush()
      waiting += line
    },
    flush,
  }
}
