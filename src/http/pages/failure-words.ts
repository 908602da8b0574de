import type { ErrorCode } from '../../kernel/app-error.ts'

export type FailureWords = {
  /** What happened, in one sentence. */
  readonly happened: string
  /** What to do next. */
  readonly next: string
}

const startAgain = 'Go back to where you came from and start again.'
const waitAndStart = 'Wait a few minutes, then go back to where you came from and start again.'
const lookAtEvents = `${startAgain} If it fails again, an administrator should look at the events of this connector.`
const tellOperator = 'Tell the people who run Patchbay here, and give them the code below.'

const words: Partial<Record<ErrorCode, FailureWords>> = {
  authorization_denied: {
    happened: 'Access was not allowed on the page where you signed in.',
    next: 'If that is what you wanted, all is well. If not: go back to where you came from and start again.',
  },
  authorization_failed: { happened: 'The server refused to complete the authorization.', next: lookAtEvents },
  link_expired: {
    happened: 'This authorization took too long, was finished before, was overtaken by another, or began elsewhere.',
    next: startAgain,
  },
  not_found: { happened: 'What was to be connected is no longer there.', next: startAgain },
  connector_disabled: { happened: 'This connector is switched off.', next: 'Ask an administrator to switch it on.' },
  upstream_unreachable: { happened: 'The server could not be reached.', next: waitAndStart },
  upstream_timeout: { happened: 'The server did not answer in time.', next: waitAndStart },
  upstream_error: { happened: 'The server answered with an error.', next: waitAndStart },
  upstream_protocol_error: { happened: 'The answer of the server does not follow the standard.', next: tellOperator },
  authorization_server_invalid: {
    happened: 'The answer did not come from the server that you were sent to.',
    next: tellOperator,
  },
  access_token_rejected: {
    happened: 'The server does not accept the access that it just granted.',
    next: lookAtEvents,
  },
  insufficient_scope: {
    happened: 'The server wants more permissions than this authorization brought.',
    next: lookAtEvents,
  },
  storage_unavailable: { happened: 'Patchbay could not store the result.', next: waitAndStart },
}

const otherwise: FailureWords = { happened: 'Something went wrong on our side.', next: tellOperator }
const byCode = new Map<string, FailureWords>(Object.entries(words))

/** Our sentences for the person in front of the browser, by code. Never holds words of the upstream. */
export function failureWords(code: ErrorCode): FailureWords {
  return byCode.get(code) ?? otherwise
}
