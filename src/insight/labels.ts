import { z } from 'zod'

const maxLength = 64
const plain = /^[\w./:@+() -]{1,64}$/
const unseen = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu
/** MCP 2026-07-28, transports: how a header holds what is not ASCII. */
const encoded = /^=\?base64\?([\w+/=-]{0,1024})\?=$/

/** Anything of a caller's as it may be stored and shown: at most 64 characters, none of them a command to a terminal. */
export function label(text: string): string {
  if (plain.test(text)) return text
  return text
    .slice(0, 4 * maxLength)
    .replace(unseen, '')
    .trim()
    .slice(0, maxLength)
}

/** A tool's name, from a body or from the header `Mcp-Name`. */
export function toolLabel(name: string): string {
  const bytes = encoded.exec(name)?.[1]
  return label(bytes === undefined ? name : Buffer.from(bytes, 'base64').toString('utf8'))
}

const clientInfo = z.object({ name: z.string(), version: z.string().catch('') })
const maxRemembered = 1000
/** A client says the same with each request. */
const labels = new Map<string, string | null>()

/**
 * Name and version of a client.
 *
 * @param json its `clientInfo` (MCP, `Implementation`) as it was sent
 * @returns null when that is none
 */
export function clientLabel(json: string): string | null {
  const remembered = labels.get(json)
  if (remembered !== undefined) return remembered
  const fresh = readClientInfo(json)
  if (labels.size >= maxRemembered) labels.clear()
  labels.set(json, fresh)
  return fresh
}

function readClientInfo(json: string): string | null {
  try {
    const parsed = clientInfo.safeParse(JSON.parse(json))
    return parsed.success ? label(`${parsed.data.name} ${parsed.data.version}`.trim()) : null
  } catch {
    return null
  }
}
