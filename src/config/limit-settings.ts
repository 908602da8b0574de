import { number, seconds } from './setting-schemas.ts'

/** How much anybody may ask for: a part of the table of settings. */
export const limitSettings = {
  MCP_BODY_LIMIT: {
    schema: number(1024, 64 * 1024 * 1024, 'must be bytes: a whole number from 1024 to 67108864'),
    fallback: '4194304',
    about: 'The longest body that an MCP endpoint takes, in bytes.',
  },
  HEADER_LIMIT: {
    schema: number(4096, 1024 * 1024, 'must be bytes: a whole number from 4096 to 1048576'),
    fallback: '16384',
    about: 'How long the headers of a request may be together, in bytes.',
  },
  MCP_RATE_LIMIT: {
    schema: number(0, 1_000_000, 'must be a whole number, 0 or more'),
    fallback: '100',
    about:
      'Calls per second that one principal may make at the MCP endpoints, averaged over ten seconds. 0: no limit. Each server process counts for itself, so n of them allow n times as many.',
  },
  MCP_CALLS_PER_CALLER: {
    schema: number(1, 1_000_000, 'must be a whole number, 1 or more'),
    fallback: '128',
    about: 'Calls and event streams that one principal may have under way at one connector, in each server process.',
  },
  MCP_CALLS_PER_UPSTREAM: {
    schema: number(1, 60_000, 'must be a whole number from 1 to 60000'),
    fallback: '1000',
    about:
      'Calls and event streams that may be under way at one upstream server (scheme, host and port), in each server process. Each holds a socket, and so a file descriptor.',
  },
  MCP_ANSWER_TIMEOUT: {
    schema: seconds,
    fallback: '300',
    about: 'How long an upstream may take to begin its answer, in seconds.',
  },
  MCP_STREAM_IDLE: {
    schema: seconds,
    fallback: '1800',
    about: 'How long an event stream may be silent before it is closed, in seconds.',
  },
  MCP_STREAM_LIFE: {
    schema: seconds,
    fallback: '3600',
    about: 'An event stream older than this is closed between two events, in seconds; its reader resumes.',
  },
  API_RATE_LIMIT: {
    schema: number(0, 1_000_000, 'must be a whole number, 0 or more'),
    fallback: '50',
    about:
      'Requests per second that one principal may make at the REST API, averaged over ten seconds. 0: no limit. Each server process counts for itself.',
  },
  ADDRESS_RATE_LIMIT: {
    schema: number(0, 1_000_000, 'must be a whole number, 0 or more'),
    fallback: '200',
    about:
      'Requests per second that one address may make at the REST API, the pages and the OAuth endpoints, whoever asks, averaged over ten seconds. 0: no limit. Each server process counts for itself; the /64 of an IPv6 address counts as one. Set `TRUSTED_PROXIES` first where proxies stand in front.',
  },
  WRONG_KEYS_PER_MINUTE: {
    schema: number(0, 100_000, 'must be a whole number, 0 or more'),
    fallback: '30',
    about:
      'How many different wrong API keys one address may try per minute, at the REST API and the MCP endpoints, in each server process; then it has to wait (429). 0: any number.',
  },
  EVENT_STREAMS: {
    schema: number(1, 10_000, 'must be a whole number from 1 to 10000'),
    fallback: '10',
    about: 'Event streams (`GET /api/v1/events`) that one caller may have open at a server process.',
  },
} as const
