import type { AuthorizationServer } from '../upstream/authorization-server.ts'
import type { ClientOption } from './report.ts'

type Known = {
  readonly hasGivenClient: boolean
  readonly hasPresetClient: boolean
  /** We have a document that authorization servers can fetch. */
  readonly hasMetadataDocument: boolean
}

/**
 * The ways to be known to an authorization server, in the order of `connections/choose-client.ts`, and the one that
 * connect would take. Whether a registration would be accepted only a registration can tell, and the doctor makes none.
 *
 * @param server null when none was found: nothing is used then
 */
export function listClientOptions(known: Known, server: AuthorizationServer | null): ClientOption[] {
  const available = [
    { kind: 'given', isAvailable: known.hasGivenClient },
    { kind: 'preset', isAvailable: known.hasPresetClient },
    {
      kind: 'metadata_document',
      isAvailable: known.hasMetadataDocument && server?.isClientIdMetadataDocumentSupported === true,
    },
    { kind: 'registration', isAvailable: server?.registrationEndpoint !== undefined },
    { kind: 'none', isAvailable: true },
  ] as const
  const used = server === null ? undefined : available.find(({ isAvailable }) => isAvailable)
  return available.map((option) => ({ ...option, isUsed: option === used }))
}
