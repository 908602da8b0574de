import Router from '@koa/router'
import { connectorOfResource, mcpScope } from '../../authorization-server/connector-resource.ts'
import { AppError } from '../../kernel/app-error.ts'

const metadataPath = '/.well-known/oauth-protected-resource'

/**
 * The metadata of each connector's MCP endpoint and of its alias (RFC 9728 section 3.1). It is the same for every id, so
 * that it does not tell which connectors exist.
 */
export function createResourceMetadataRoutes({ publicUrl }: { readonly publicUrl: URL }): Router {
  const router = new Router({ sensitive: true, strict: true })

  router.get([`${metadataPath}/connectors/:id/mcp`, `${metadataPath}/api/v1/connectors/:id/mcp`], (ctx) => {
    const resource = publicUrl.origin + ctx.path.slice(metadataPath.length)
    if (connectorOfResource(publicUrl, resource) === null) throw new AppError('not_found', 'no such resource')
    ctx.set({ 'Cache-Control': 'public, max-age=300', 'Access-Control-Allow-Origin': '*' })
    ctx.body = {
      resource,
      authorization_servers: [publicUrl.origin],
      scopes_supported: [mcpScope],
      bearer_methods_supported: ['header'],
      resource_name: 'Patchbay connector',
    }
  })

  return router
}
