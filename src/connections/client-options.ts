import type { AuthorizationServer } from '../upstream/authorization-server.ts'

export const clientKinds = ['given', 'preset', 'metadata_document', 'registration', 'none'] as const
/** How we are known to an authorization server: by a client of the connector, of its preset, or by means of our own. */
export type ClientKind = (typeof clientKinds)[number]

/** One way to be known to the authorization server, in the order in which connect tries. */
export type ClientOption = {
  readonly kind: ClientKind
  readonly isAvailable: boolean
  /** Exactly one is, once an authorization server is known. */
  readonly isUsed: boolean
}

type Known = {
  readonly hasGivenClient: boolean
  readonly hasPresetClient: boolean
  /** We have a document that authorization servers can fetch. */
  readonly hasMetadataDocument: boolean
}

/**
 * The ways to be known to an authorization server, in the order of MCP authorization, "Client Registration Approaches", and
 * the one that is taken. Whether a registration is accepted only a registration can tell.
 *
 * @param server null when none was found: nothing is used then
 */
export function listClientOptions(known: Known, server: AuthorizationServer | null): ClientOption[] {
  const available: readonly Omit<ClientOption, 'isUsed'>[] = [
    { kind: 'given', isAvailable: known.hasGivenClient },
    { kind: 'preset', isAvailable: known.hasPresetClient },
    { kind: 'metadata_document', isAvailable: known.hasMetadataDocument && server !== null && takesDocument(server) },
    { kind: 'registration', isAvailable: server?.registrationEndpoint !== undefined },
    { kind: 'none', isAvailable: true },
  ]
  const used = server === null ? undefined : available.find(({ isAvailable }) => isAvailable)
  return available.map((option) => ({ ...option, isUsed: option === used }))
}

/** The one way that is taken. */
export function pickClientKind(known: Known, server: AuthorizationServer): ClientKind {
  return listClientOptions(known, server).find(({ isUsed }) => isUsed)?.kind ?? 'none'
}

/** The client of our document has no secret: a server that lists only other ways would turn it away at its token endpoint. */
function takesDocument(server: AuthorizationServer): boolean {
  const methods = server.tokenEndpointAuthMethods
  return server.isClientIdMetadataDocumentSupported && (methods.length === 0 || methods.includes('none'))
}
