import { clientHosts, networks, number } from './setting-schemas.ts'

/** What of the settings is about hosts and the tokens that they get; a part of the table in `settings.ts`. */
export const hostSettings = {
  ACCESS_TOKEN_TTL: {
    schema: number(60, 86_400, 'must be seconds: a whole number from 60 to 86400'),
    fallback: '3600',
    about: 'How long access tokens that hosts get from us live, in seconds.',
  },
  REFRESH_GRACE: {
    schema: number(0, 60, 'must be seconds: a whole number from 0 to 60'),
    fallback: '30',
    about:
      'How long a refresh token that a host has just used gets the same answer again, in seconds: for parallel requests and lost answers.',
  },
  REGISTRATIONS_PER_MINUTE: {
    schema: number(1, 10_000, 'must be a whole number from 1 to 10000'),
    fallback: '10',
    about: 'How many hosts one address may register a minute (dynamic client registration).',
  },
  REGISTRATION_NETWORKS: {
    schema: networks,
    fallback: '160.79.104.0/21',
    about:
      "Networks from which the hosts of many people come, comma-separated: each may register thirty times as many as one address. Default: Claude's.",
  },
  TRUSTED_PROXIES: {
    schema: number(0, 10, 'must be a whole number from 0 to 10'),
    fallback: '0',
    about:
      'How many proxies of yours each request passes, all of which add the address that asked them at the end of `X-Forwarded-For`: so many entries are believed, counted from the end, for limits and for the audit log. 0: none, the header is not read, and everybody behind one proxy counts as one address.',
  },
  CLIENT_HOSTS_ALLOW: {
    schema: clientHosts,
    about:
      "Which apps (OAuth clients of hosts) may be used: hosts as `claude.ai`, hosts below one as `*.example.com`, private schemes as `cursor:`, comma-separated. An app with a metadata document is judged by the address of that, one that registers itself by all its redirects; list `localhost` and `127.0.0.1` for apps on people's own machines. Clients made with `patchbay clients create` are not judged. Unset: any.",
  },
  CLIENT_HOSTS_DENY: {
    schema: clientHosts,
    about:
      'Which apps may not be used, in the same form; it goes before what is allowed. Apps that are there already can authorize and refresh no longer; what they hold ends with `ACCESS_TOKEN_TTL`, or at once when it is revoked.',
  },
} as const
