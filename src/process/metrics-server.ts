import { createServer, type ServerResponse } from 'node:http'
import { type ReadinessReport, readinessStatus } from '../http/readiness-report.ts'
import type { ShownMetrics } from '../metrics/metrics.ts'
import { PortError } from './port-error.ts'

export type MetricsServerOptions = {
  /** 0: nothing is listened on. */
  readonly port: number
  readonly host: string
  /** The setting that names the port. */
  readonly setting: string
  readonly metrics: ShownMetrics
  readonly readiness: () => Promise<ReadinessReport>
}

/**
 * Serves `/metrics`, `/healthz` and `/readyz` for those who run Patchbay, on a port of its own: without keys, and by whatever
 * host name it is reached. It goes on through a shutdown until it is closed, so that readiness can say so.
 *
 * @throws PortError
 */
export async function startMetricsServer(options: MetricsServerOptions): Promise<{ close(): Promise<void> }> {
  const { port, host, setting, metrics, readiness } = options
  if (port === 0) return { close: async () => {} }
  metrics.watchProcess()

  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0]
    if (request.method !== 'GET' && request.method !== 'HEAD') send(response, 405, 'text/plain', 'GET only\n')
    else if (path === '/healthz') send(response, 200, 'application/json', JSON.stringify({ status: 'ok' }))
    else if (path === '/readyz') sendReadiness(response, readiness).catch(() => sendTrouble(response))
    else if (path === '/metrics') sendMetrics(response, metrics).catch(() => sendTrouble(response))
    else send(response, 404, 'text/plain', 'There are /metrics, /healthz and /readyz.\n')
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new PortError({ setting, port, host }, error)))
    server.listen(port, host, resolve)
  })
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function sendReadiness(response: ServerResponse, readiness: () => Promise<ReadinessReport>): Promise<void> {
  const report = await readiness()
  send(response, readinessStatus(report), 'application/json', JSON.stringify(report))
}

async function sendMetrics(response: ServerResponse, metrics: ShownMetrics): Promise<void> {
  const { contentType, text } = await metrics.render()
  send(response, 200, contentType, text)
}

/** Nothing that is asked here may end the process: another one of the group may be ending just now, or be too busy to tell. */
function sendTrouble(response: ServerResponse): void {
  send(response, 503, 'text/plain', 'This could not be found out just now. Ask again.\n')
}

function send(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, { 'content-type': contentType, 'cache-control': 'no-store' }).end(body)
}
