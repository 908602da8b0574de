import { AppError } from '../kernel/app-error.ts'
import type { ProbeOutcome } from '../upstream/probe.ts'

/** Why a server could not be connected, where neither authorization nor its want is the reason. */
export function probeFailure(outcome: Exclude<ProbeOutcome, { kind: 'ok' | 'unauthorized' }>): AppError {
  switch (outcome.kind) {
    case 'http_error':
      return new AppError('upstream_error', `probe answered ${outcome.status}`, {
        publicDetail: `The server answered with HTTP status ${outcome.status}. Nothing was changed; try again later.`,
        meta: { status: outcome.status },
      })
    case 'not_mcp':
      return new AppError('upstream_protocol_error', 'probe answer is not MCP', {
        publicDetail: 'Something answers at this URL, but it is not an MCP server. Check the URL.',
      })
    case 'timeout':
      return new AppError('upstream_timeout', 'probe timed out')
    case 'unreachable':
      return new AppError('upstream_unreachable', 'probe could not reach the server')
  }
}
