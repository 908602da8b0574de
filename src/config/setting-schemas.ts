import { z } from 'zod'
import { isLoopbackOrigin } from '../kernel/resource-url.ts'
import { Secret } from '../kernel/secret.ts'

// What the text of an environment variable may be, and what becomes of it.
export const text = z.string()
export const number = (min: number, max: number, error: string) =>
  z.coerce.number<string>(error).int(error).min(min, error).max(max, error)
export const port = number(0, 65535, 'must be a port: a whole number from 0 to 65535')
export const seconds = number(1, Number.MAX_SAFE_INTEGER, 'must be seconds: a whole number, 1 or more')
export const list = text.transform((value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
)
export const urls = list.pipe(
  z.array(z.url({ protocol: /^https?$/, error: 'must be http(s) URLs, separated by commas' }).max(2048)),
)
export const origins = list.pipe(
  z.array(
    z
      .url({ protocol: /^https?$/, error: 'must be http(s) origins, separated by commas' })
      .transform((value) => new URL(value))
      .refine((url) => url.href === `${url.origin}/`, 'must be origins: scheme, host and port, without a path')
      .transform((url) => url.origin),
  ),
)
export const networks = list.pipe(
  z.array(z.union([z.cidrv4(), z.cidrv6()], 'must be networks such as 10.0.0.0/8, separated by commas')),
)
/** Hosts, `*.` hosts and private schemes. */
export const clientHosts = list.pipe(
  z.array(
    z.string().regex(/^((\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]|[a-z][a-z0-9+.-]*:)$/i, {
      error: 'must be hosts (claude.ai), *. hosts (*.example.com) or schemes (cursor:), separated by commas',
    }),
  ),
)
export const secret = z.string().transform((value) => new Secret(value))
export const httpOrigin = z
  .url({ protocol: /^https?$/, error: 'must be an http(s) URL' })
  .transform((value) => new URL(value))
  .refine((url) => url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '', {
    message: 'must be an origin: scheme, host and port, without a path',
  })
  .refine((url) => url.protocol === 'https:' || isLoopbackOrigin(url), {
    message: 'must be https; plain http is for localhost only',
  })

/** As it stands in tokens, letter for letter; only its form is judged. */
export const issuer = z
  .url({ protocol: /^https?$/, error: 'must be an https URL' })
  .refine((value) => new URL(value).protocol === 'https:' || isLoopbackOrigin(new URL(value)), {
    message: 'must be https; plain http is for localhost only',
  })
  .refine((value) => !/[?#]/.test(value), { message: 'must have neither query nor fragment' })
