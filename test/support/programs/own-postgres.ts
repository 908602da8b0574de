// Starts the embedded PostgreSQL as `npm start` would, says where, and stays. Arguments: data folder, [search path].
import { startEmbeddedPostgres } from '../../../src/storage/embedded-postgres.ts'
import { silentLog } from '../silent-log.ts'

const [dataDir = '', searchPath] = process.argv.slice(2)
const postgres = await startEmbeddedPostgres({
  dataDir,
  durable: false,
  log: silentLog,
  ...(searchPath === undefined ? {} : { searchPath }),
})
console.log(JSON.stringify({ url: postgres.url, pid: postgres.pid }))
setInterval(() => {}, 60_000)
