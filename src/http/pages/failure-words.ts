import type { ErrorCode } from '../../kernel/app-error.ts'

export type FailureWords = {
  /** What happened, in one sentence. */
  readonly happened: string
  /** What to do next. */
  readonly next: string
}

const startAgain = 'Go back to where you came from and start again.'
const tellOperator = 'Tell the people who run Patchbay here, and give them the code below.'

const words: Partial<Record<ErrorCode, FailureWords>> = {
  authorization_denied: {
    happened: 'The other side says that access was not allowed.',
    next: `If you pressed Cancel, all is as it was. If not: ${startAgain.charAt(0).toLowerCase()}${startAgain.slice(1)}`,
  },
  authorization_failed: {
    happened: 'The other side refused to complete the authorization.',
    next: `${startAgain} If it fails again, an administrator should look at this connector's events.`,
  },
  link_expired: {
    happened: 'This authorization was finished before, took too long, or was not started here.',
    next: startAgain,
  },
  not_found: { happened: 'What was to be connected is no longer there.', next: startAgain },
  connector_disabled: { happened: 'This connector is switched off.', next: 'Ask an administrator to switch it on.' },
  upstream_unreachable: {
    happened: 'The other side could not be reached.',
    next: 'Wait a few minutes, then go back to where you came from and start again.',
  },
  upstream_timeout: {
    happened: 'The other side did not answer in time.',
    next: 'Wait a few minutes, then go back to where you came from and start again.',
  },
  upstream_error: {
    happened: 'The other side answered with an error.',
    next: 'Wait a few minutes, then go back to where you came from and start again.',
  },
  upstream_protocol_error: {
    happened: 'The other side gave an answer that does not follow the standard.',
    next: tellOperator,
  },
  authorization_server_invalid: {
    happened: 'The answer did not come from the server that you were sent to.',
    next: tellOperator,
  },
  access_token_rejected: {
    happened: 'The server did not accept the access that was just granted.',
    next: `${startAgain} If it fails again, an administrator should look at this connector's events.`,
  },
  storage_unavailable: {
    happened: 'Patchbay could not store the result.',
    next: 'Wait a minute, then go back to where you came from and start again.',
  },
}

const otherwise: FailureWords = { happened: 'Something went wrong on our side.', next: tellOperator }

/** Our sentences for the person in front of the browser, by code. Never holds words of the upstream. */
export function failureWords(code: ErrorCode): FailureWords {
  return words[code] ?? otherwise
}
