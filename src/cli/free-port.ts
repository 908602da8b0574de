import { createServer } from 'node:net'
import { PortError } from '../process/port-error.ts'

/**
 * Finds out early whether a port can be had, before a database is started for nothing.
 *
 * @param setting the setting that names the port
 * @throws PortError
 */
export async function requireFreePort(setting: string, port: number, host: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const server = createServer()
    server.once('error', (error) => reject(new PortError({ setting, port, host }, error)))
    server.listen(port, host, () => server.close(() => resolve()))
  })
}
