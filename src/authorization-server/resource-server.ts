import type { ResourceServer } from 'oidc-provider'
import { InvalidTarget } from 'oidc-provider/lib/helpers/errors.js'
import { connectorOfResource, mcpScope } from './connector-resource.ts'

/** How access tokens for a connector's endpoint are made (RFC 9068). */
export type ResourceServerInfo = (resource: string) => ResourceServer

/** @throws InvalidTarget (RFC 8707 section 2) for what is not the URL of a connector's endpoint */
export function createResourceServerInfo(publicUrl: URL, accessTokenTtlSeconds: number): ResourceServerInfo {
  return (resource) => {
    if (connectorOfResource(publicUrl, resource) === null) throw new InvalidTarget('not the address of a connector')
    return {
      scope: mcpScope,
      audience: resource,
      accessTokenTTL: accessTokenTtlSeconds,
      accessTokenFormat: 'jwt',
      jwt: { sign: { alg: 'RS256' } },
    }
  }
}
