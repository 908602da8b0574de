import { AppError } from '../kernel/app-error.ts'

/**
 * Gives work one limit of time as a whole, whatever its parts take.
 *
 * @param ms milliseconds
 * @param work calls `stillInTime` before each part that is worth nothing to anybody once the time is up; what is under way
 *   then goes on by itself, so that a token that was issued is stored
 * @throws AppError `upstream_timeout`, besides what the work throws
 */
export async function inTime<T>(ms: number, work: (stillInTime: () => void) => Promise<T>): Promise<T> {
  const end = performance.now() + ms
  const tooLate = () => new AppError('upstream_timeout', 'took too long as a whole', { meta: { ms } })
  const stillInTime = (): void => {
    if (performance.now() > end) throw tooLate()
  }
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(tooLate()), ms)
  })
  try {
    return await Promise.race([work(stillInTime), late])
  } finally {
    clearTimeout(timer)
  }
}
