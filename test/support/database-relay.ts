import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net'

export type DatabaseRelay = {
  /** The same database, by way of the relay. */
  readonly url: string
  close(): Promise<void>
}

const notification = 'A'.charCodeAt(0)

/**
 * Stands between a client and PostgreSQL, which listens on a socket, and passes on everything but, where `isDeaf`, notifications:
 * as a pooler in transaction mode does.
 */
export async function startDatabaseRelay(databaseUrl: string, { isDeaf }: { isDeaf: boolean }): Promise<DatabaseRelay> {
  const url = new URL(databaseUrl)
  const path = `${url.searchParams.get('host')}/.s.PGSQL.${url.port}`
  const open = new Set<Socket>()
  const server = createServer((client) => {
    const database = createConnection(path)
    for (const socket of [client, database]) {
      open.add(socket)
      socket.on('error', () => {})
      socket.once('close', () => {
        client.destroy()
        database.destroy()
      })
    }
    client.pipe(database)
    let rest = Buffer.alloc(0)
    database.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk])
      // each message: a letter, then its length, which counts itself
      for (let length = 0; rest.length > 4; rest = rest.subarray(length)) {
        length = 1 + rest.readUInt32BE(1)
        if (rest.length < length) return
        if (!isDeaf || rest[0] !== notification) client.write(rest.subarray(0, length))
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const relayed = new URL(databaseUrl)
  relayed.hostname = '127.0.0.1'
  relayed.port = String((server.address() as AddressInfo).port)
  relayed.search = ''
  return {
    url: relayed.href,
    async close() {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
