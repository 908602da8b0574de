import { z } from 'zod'
import { Secret } from '../kernel/secret.ts'

/** A body's optional field; clients of Agent Stack send null for "not given". */
export const optional = <S extends z.ZodType>(schema: S) => schema.nullish().transform((value) => value ?? undefined)

const maxSecretLength = 4096

/** How the OpenAPI document says that a field holds a secret. */
export const secretFormat = { format: 'password' }

export const secretText = z
  .string()
  .min(1)
  .max(maxSecretLength)
  .meta(secretFormat)
  .transform((value) => new Secret(value))

/** A token as a header can carry it (RFC 9110 section 5.5): visible ASCII, spaces only inside. */
export const tokenText = z
  .string()
  .max(maxSecretLength)
  .regex(/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/, 'must be text that a header can carry')
  .meta(secretFormat)
  .transform((value) => new Secret(value))

type Present<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>
}

/** The same without the keys that hold undefined: absent means "not given" to the use cases. */
export function present<T extends object>(value: T): Present<T> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Present<T>
}
