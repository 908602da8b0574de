import type { DisconnectCode } from './connection.ts'

/** One sentence for people per code. "Client request" is what clients of Agent Stack compare with. */
export const disconnectReasons: Readonly<Record<DisconnectCode, string>> = {
  client_request: 'Client request',
  connector_changed: 'The connector was changed, so its old authorization no longer applies. Connect it again.',
  refresh_token_rejected:
    'The authorization server no longer accepts our refresh token. Somebody has to authorize again.',
  refresh_token_expired: 'The access token ran out and there is no refresh token. Somebody has to authorize again.',
  refresh_result_lost:
    'A token refresh was interrupted after the old token had been used up. Somebody has to authorize again.',
  refresh_config_error:
    'The authorization server refused the refresh request as malformed or not permitted. Check the client settings, then connect again.',
  client_rejected:
    'The authorization server no longer accepts our client. Check the client id and secret, then connect again.',
  malformed_token_response:
    'The authorization server answers token refreshes with something that is not a token response.',
  authorization_server_changed: 'The server now names another authorization server. Somebody has to authorize again.',
  insufficient_scope:
    'The server keeps asking for permissions that its authorization server does not give. Ask the people who run the server, then disconnect and connect again.',
  access_token_rejected:
    'The server no longer accepts the token of this connector. Give it a new one, then connect again.',
}
