import { createPatchbayClient, type PatchbayClient, type Problem } from '../client/client.ts'
import { type Remote, readRemote } from '../config/remote.ts'

export type Api = {
  readonly client: PatchbayClient
  readonly url: URL
  /**
   * What a call answered.
   *
   * @throws Error with a sentence that says what to do
   */
  read<T>(answer: Promise<Answer<T>>): Promise<T>
}

type Answer<T> = { readonly data?: T; readonly error?: Problem; readonly response: Response }

/** Opens the REST API of the Patchbay that the environment names. */
export function openApi(): Api {
  const remote = readRemote(process.env)
  return {
    client: createPatchbayClient({ url: remote.url, apiKey: remote.apiKey.reveal() }),
    url: remote.url,
    read: (answer) => read(answer, remote),
  }
}

async function read<T>(answer: Promise<Answer<T>>, { url }: Remote): Promise<T> {
  const { data, error, response } = await answer.catch((cause: unknown) => {
    throw new Error(
      `Patchbay does not answer at ${url.origin}${reasonOf(cause)}. Start it there, or set PATCHBAY_URL to where it is.`,
      { cause },
    )
  })
  if (response.ok) return data as T
  throw new Error(explain(response.status, typeof error === 'object' ? error : undefined, url))
}

function explain(status: number, problem: Problem | undefined, url: URL): string {
  if (problem?.detail === undefined) {
    return `What answers at ${url.origin} is not Patchbay (HTTP ${status}). PATCHBAY_URL says where to look.`
  }
  const fields = (problem.errors ?? []).map(({ path, message }) => `\n  ${path}: ${message}`).join('')
  return `${problem.detail}${fields}${hints[problem.code] ?? ''}\n(${problem.code}, request ${problem.request_id})`
}

const hints: Readonly<Record<string, string>> = {
  unauthenticated: ` Set PATCHBAY_API_KEY to a key that works there; "patchbay api-keys create --label <text>" makes one.`,
  not_found: ' "patchbay connectors list" shows what there is.',
  connector_exists: ' "patchbay connectors get <url>" shows it; --label tells several apart.',
  client_id_required: ' Give the connector a client of its own: "patchbay connectors create <url> --client-id <id>".',
  connector_disabled: ' An administrator has switched it off.',
}

function reasonOf(cause: unknown): string {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
  const code = typeof inner === 'object' && inner !== null && 'code' in inner ? inner.code : undefined
  return typeof code === 'string' ? ` (${code})` : ''
}
