import type { Secret } from '../kernel/secret.ts'

/** What ioredis takes: a URL, or a bare path for a unix socket. */
export function redisAddress(redisUrl: Secret): string {
  return redisUrl.reveal().replace(/^unix:(\/\/)?/, '')
}
