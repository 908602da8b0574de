import { type McpServer, ResourceNotFoundError, ResourceTemplate } from '@modelcontextprotocol/server'

const readme = `# The Patchbay sandbox

A local MCP server to try things on. It has its own authorization server, so connecting to it is a real OAuth
journey: discovery, registration, sign-in, consent, short access tokens, refresh tokens that rotate.

- \`whoami\` tells which account authorized: connect twice with two names and see both.
- \`slow_count\` streams progress.
- \`token_info\` tells how long the access token still lives; call it again later and see that it was refreshed.

Everything is in memory and gone when the sandbox stops.
`

const notes: ReadonlyMap<string, { readonly title: string; readonly text: string }> = new Map([
  ['1', { title: 'Shopping', text: 'Two patch cables, one of them long.' }],
  ['2', { title: 'Idea', text: 'One URL for every agent; the tokens look after themselves.' }],
  ['3', { title: 'Unicode', text: 'Zażółć gęślą jaźń, 日本語, 🎛️' }],
])

/** Registers a fixed resource and a template with three notes behind it. */
export function registerResources(server: McpServer): void {
  server.registerResource(
    'readme',
    'sandbox://readme',
    { title: 'About the sandbox', description: 'What this server is for.', mimeType: 'text/markdown' },
    (uri) => ({ contents: [{ uri: uri.href, mimeType: 'text/markdown', text: readme }] }),
  )

  server.registerResource(
    'note',
    new ResourceTemplate('sandbox://notes/{id}', {
      list: () => ({
        resources: [...notes].map(([id, note]) => ({
          uri: `sandbox://notes/${id}`,
          name: `note-${id}`,
          title: note.title,
          mimeType: 'text/plain',
        })),
      }),
      complete: { id: (typed) => [...notes.keys()].filter((id) => id.startsWith(typed)) },
    }),
    { title: 'Note', description: 'A note by its number, 1 to 3.', mimeType: 'text/plain' },
    (uri, { id }) => {
      const note = typeof id === 'string' ? notes.get(id) : undefined
      if (note === undefined) throw new ResourceNotFoundError(uri.href)
      return { contents: [{ uri: uri.href, mimeType: 'text/plain', text: `${note.title}\n\n${note.text}` }] }
    },
  )
}
