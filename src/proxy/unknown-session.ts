import { AppError } from '../kernel/app-error.ts'

/** A dead session and one of somebody else's look alike; MCP clients begin a new one on 404. */
export function unknownSession(): AppError {
  return new AppError('not_found', 'session id not bound to this caller and connection', {
    publicDetail: 'There is no such session here. Begin a new one with initialize.',
  })
}
