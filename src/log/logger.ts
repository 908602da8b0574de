import { type LoggerOptions, type Logger as PinoLogger, pino } from 'pino'
import { AppError } from '../kernel/app-error.ts'
import { epochMs } from '../kernel/clock.ts'
import { currentTrace } from '../kernel/trace-context.ts'
import { createLineBuffer } from './line-buffer.ts'

export type Logger = Pick<PinoLogger, 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'> & {
  child(bindings: Record<string, unknown>): Logger
  /**
   * For the one message that comes with every request: the facts are JSON members already (`"status":200,...`), may hold no
   * secret and nothing that needs escaping, and pass neither serializers nor redaction, which would cost six times as much.
   *
   * @returns writes one line of level info
   */
  infoLines(message: string): InfoLines
}

export type InfoLines = (facts: string) => void

const maxTextLength = 500
/** A stack begins with the message, however long that is. */
const maxStackLength = 4000

const unseen = /[\u007f-\u009f\u2028\u2029]/g

/** What JSON may hold as it is, but a terminal or a viewer of logs takes for a command or the end of a line. */
function escapeUnseen(line: string): string {
  return line.replace(unseen, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/**
 * What of an error may be logged: name, message, code and our own `meta`. Causes are followed by the same rule;
 * responses, request bodies and other properties that libraries hang on errors are left out, since they hold secrets.
 */
function describeError(error: unknown, depth = 0): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: 'not an Error' }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  return {
    name: error.name,
    message: error.message.slice(0, maxTextLength),
    ...(code === undefined ? {} : { code }),
    ...(error instanceof AppError ? { meta: error.meta } : {}),
    ...(depth === 0 ? { stack: error.stack?.slice(0, maxStackLength) } : {}),
    ...(error.cause === undefined || depth > 3 ? {} : { cause: describeError(error.cause, depth + 1) }),
  }
}

/** pino adds to what this gives, so it is a new one each time. */
function traceIds(): object {
  const trace = currentTrace()
  return trace === null ? {} : { trace_id: trace.traceId }
}

/**
 * A JSON logger on standard output (or another stream).
 *
 * Secrets are kept out by type (`Secret` prints `[redacted]`); the list of paths here is the second line.
 */
export function createLogger(level: string, destination?: { write(line: string): void }, isTraced = false): Logger {
  const options = {
    level,
    ...(isTraced ? { mixin: traceIds } : {}),
    base: { service: 'patchbay' },
    hooks: { streamWrite: escapeUnseen },
    serializers: { err: (error: unknown) => describeError(error) },
    redact: {
      paths: [
        'authorization',
        'cookie',
        'access_token',
        'refresh_token',
        'client_secret',
        '*.authorization',
        '*.cookie',
      ],
      censor: '[redacted]',
    },
  }
  return destination === undefined ? bufferedLogger(options) : withInfoLines(pino(options, destination), destination)
}

/**
 * Lines are written together, since a write for each would cost a fifth of what a relayed call costs; errors at once. Written
 * here, as Node writes to pipes itself: handing a piece to another thread costs ten times what writing it does, and lines that
 * nobody reads would pile up.
 */
function bufferedLogger(options: LoggerOptions): Logger {
  const destination = createLineBuffer(pino.destination({ dest: 1, sync: true }))
  const errorLevel = pino.levels.values.error ?? 50
  const hooks: LoggerOptions['hooks'] = {
    ...options.hooks,
    logMethod(args, method, level) {
      method.apply(this, args)
      if (level >= errorLevel) destination.flush()
    },
  }
  return withInfoLines(pino({ ...options, hooks }, destination), destination)
}

function withInfoLines(logger: PinoLogger, destination: { write(line: string): void }): Logger {
  const methods = {
    infoLines(this: PinoLogger, message: string): InfoLines {
      if (!this.isLevelEnabled('info')) return () => {}
      // as JSON members already; `bindings()` would leave the process id out
      const bindings = (this as PinoLogger & Readonly<Record<symbol, string>>)[pino.symbols.chindingsSym]?.slice(1)
      const end = `,"msg":${JSON.stringify(message)}}\n`
      return (facts) => {
        destination.write(`{"level":${pino.levels.values.info},"time":${epochMs()},${bindings},${facts}${end}`)
      }
    },
  }
  // children inherit what is put on a logger, which their type does not tell
  return Object.assign(logger, methods) as unknown as Logger
}
