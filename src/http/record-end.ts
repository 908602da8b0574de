import { outcomeOf } from '../insight/call.ts'
import type { CallTally } from '../insight/tally.ts'
import type { Logger } from '../log/logger.ts'
import type { HttpMetrics, Surface } from '../metrics/http-metrics.ts'
import type { McpCall } from '../proxy/call.ts'
import { endCallSpan } from '../proxy/call-span.ts'

/** How a request ended. */
export type RequestEnd = {
  readonly surface: Surface
  readonly method: string
  /** Bounded, and without secrets. */
  readonly path: string
  /** Of the answer; null when none was begun. */
  readonly status: number | null
  /** From the first line of the request to the end of the answer. */
  readonly durationMs: number
  /** The caller got all of the answer. */
  readonly isComplete: boolean
}

type Deps = {
  readonly metrics: HttpMetrics
  /** Told of every call at an MCP endpoint. */
  readonly callEnded: CallTally['add']
  readonly log: Logger
}

/** The one place where the end of a request is recorded: in the metrics, in what is counted of calls, in a line of the log. */
export function createRecordEnd({ metrics, callEnded, log }: Deps): (record: McpCall, end: RequestEnd) => void {
  const writeLine = log.infoLines('request')
  return (record, end) => {
    const { surface, status, durationMs, isComplete } = end
    metrics.ended(surface, status, durationMs)
    const outcome = outcomeOf(record, status, isComplete)
    if (surface === 'mcp') {
      callEnded(record, outcome, durationMs)
      endCallSpan(record, outcome, status)
    }
    const { method, tool } = record.message
    const call = surface === 'mcp' ? `,"mcpMethod":"${method}","tool":${quoted(tool)},"outcome":"${outcome}"` : ''
    const trace = record.span.context === null ? '' : `,"trace_id":"${record.span.context.traceId}"`
    writeLine(factsOf(record, end) + call + trace)
  }
}

/** As JSON members. Only a path may hold what needs escaping: methods are Node's, ids our own. */
function factsOf({ principalId, requestId }: McpCall, end: RequestEnd): string {
  const { method, path, status, durationMs, isComplete } = end
  const principal = principalId === null ? 'null' : `"${principalId}"`
  const cut = isComplete ? '' : ',"isCutShort":true'
  return `"method":"${method}","path":${quoted(path)},"status":${status},"durationMs":${durationMs},"principalId":${principal},"requestId":"${requestId}"${cut}`
}

const plain = /^[\w/.-]*$/

/** Node lets bytes above ASCII through, which a terminal may take for commands. */
function quoted(path: string): string {
  if (plain.test(path)) return `"${path}"`
  return JSON.stringify(path).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
