// Preloaded into servers that we did not write: they would listen on all interfaces. Here they listen on 127.0.0.1, say
// on which port, and end with the test that started them.
import { Server } from 'node:net'

const listen = Server.prototype.listen

Server.prototype.listen = function listenOnLoopback(...parameters) {
  const [first, second] = parameters
  const isPort = typeof first === 'number' || /^\d+$/.test(first)
  if (isPort && typeof second === 'string') parameters[1] = '127.0.0.1'
  else if (isPort) parameters.splice(1, 0, '127.0.0.1')
  else if (first?.port !== undefined) parameters[0] = { ...first, host: '127.0.0.1' }
  else return listen.apply(this, parameters)
  this.once('listening', () => process.send?.({ listeningOn: this.address().port }))
  return listen.apply(this, parameters)
}

process.on('disconnect', () => process.exit(0))
