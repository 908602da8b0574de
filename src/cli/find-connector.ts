import type { Connector } from '../client/client.ts'
import { isId } from '../kernel/id.ts'
import type { Api } from './remote.ts'

/**
 * The connector that a person means: by its id, or by the address of its server where only one has that.
 *
 * @throws Error with a sentence for people
 */
export async function findConnector({ client, read }: Api, name: string): Promise<Connector> {
  if (isId(name)) return read(client.GET('/api/v1/connectors/{id}', { params: { path: { id: name } } }))
  if (!URL.canParse(name)) throw new Error(`"${name}" is neither the id of a connector nor the address of a server.`)
  const { items } = await read(client.GET('/api/v1/connectors', { params: { query: { url: name } } }))
  const [first, second] = items
  if (first === undefined) {
    throw new Error(`No connector has the address ${name}. Make one: patchbay connectors create ${name}`)
  }
  if (second !== undefined) {
    const choices = items.map(({ id, label }) => `\n  ${id}  ${label}`).join('')
    throw new Error(`Several connectors have the address ${name}. Name one by its id:${choices}`)
  }
  return first
}
