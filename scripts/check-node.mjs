// Imported before anything else, and written so that old versions of Node can read it.
const wanted = [20, 19]
const found = process.versions.node.split('.').map(Number)
if (found[0] < wanted[0] || (found[0] === wanted[0] && found[1] < wanted[1])) {
  console.error(
    'Patchbay needs Node ' +
      wanted.join('.') +
      ' or newer; this is ' +
      process.version +
      '. Get one at https://nodejs.org',
  )
  process.exit(1)
}
