// `npm run setup`, `npm run build`: installs, generates and builds what is missing or stale.
import './check-node.mjs'

const { setUp } = await import('./setup/set-up.mjs')
await setUp()
