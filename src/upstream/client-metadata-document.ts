/** Where our own client metadata document is served, below `PUBLIC_URL`. */
export const clientMetadataPath = '/oauth/client-metadata.json'

/** Where the public parts of our client keys are served. */
export const clientKeysPath = '/oauth/client-jwks.json'

type Facts = {
  /** The URL of the document, which is the client id. */
  readonly url: string
  readonly publicUrl: URL
  readonly redirectUri: string
}

/**
 * Our client metadata document (draft-ietf-oauth-client-id-metadata-document): with it an authorization server knows us
 * without a registration.
 */
export function clientMetadataDocument({ url, publicUrl, redirectUri }: Facts) {
  return {
    client_id: url,
    client_name: 'Patchbay',
    client_uri: publicUrl.href,
    application_type: 'web',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  }
}

/**
 * The client id that stands for our document; null when there is none to name: authorization servers fetch it over https
 * only, so a Patchbay on loopback has none of its own.
 *
 * @param setting `CLIENT_METADATA_URL`: a document that is kept elsewhere
 */
export function clientMetadataUrl(publicUrl: URL, setting: string | undefined): string | null {
  if (setting !== undefined) return setting
  return publicUrl.protocol === 'https:' ? new URL(clientMetadataPath, publicUrl).href : null
}
