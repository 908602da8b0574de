import { type ClientMetadata, ClientMetadataError, readClientMetadata } from './client-metadata.ts'
import type { TrustsAddresses } from './client-trust.ts'

/** @throws ClientMetadataError */
export type JudgeClient = (raw: unknown) => ClientMetadata

/** Judges what a client registers: its metadata by themselves, and whether the operator trusts its hosts. */
export function createJudgeClient(trusts: TrustsAddresses): JudgeClient {
  return (raw) => {
    const metadata = readClientMetadata(raw)
    if (!trusts(metadata.redirect_uris)) {
      throw new ClientMetadataError(
        'invalid_redirect_uri',
        'Apps at this address may not be used here. Who runs this service can allow them.',
      )
    }
    return metadata
  }
}
