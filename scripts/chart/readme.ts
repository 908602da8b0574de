import { parse } from 'yaml'
import { valuesSchema } from './values-schema.ts'

type Node = { readonly description?: string; readonly default?: unknown; readonly properties?: Record<string, Node> }
type Row = { readonly path: string; readonly fallback: unknown; readonly about: string }

const introduction = `# The chart patchbay

Generated from \`values.yaml\` and the schema of the values (\`npm run docs\`). How to size, upgrade and operate an installation:
docs/operations.md.

\`\`\`sh
helm install patchbay ./helm --values my-values.yaml
\`\`\`

The least that \`my-values.yaml\` must hold:

\`\`\`yaml
settings:
  PUBLIC_URL: https://patchbay.example.com
secrets:
  DATABASE_URL: { existingSecret: patchbay-database, key: url }
  ENCRYPTION_KEYS: { existingSecret: patchbay-keys }
\`\`\`

Five sets that are tested stand in \`ci/\`: a trial with databases of its own, high availability, secrets from outside, presets, everything.

## Values

| value | default | what it does |
| --- | --- | --- |
`

/** The text of helm/README.md. */
export function chartReadme(valuesYaml: string): string {
  const rows = rowsOf(valuesSchema() as Node, parse(valuesYaml), '')
  const lines = rows.map(({ path, fallback, about }) => `| \`${path}\` | ${shown(fallback)} | ${cell(about)} |`)
  return `${introduction}${lines.join('\n')}\n`
}

/** Leaves, in the order of the schema; an object whose fields nobody describes is a leaf. */
function rowsOf(node: Node, fallback: unknown, path: string): Row[] {
  const children = Object.entries(node.properties ?? {})
  const row = { path, fallback: fallback ?? node.default, about: node.description ?? '' }
  const isLeaf = children.length === 0 || (path.startsWith('secrets.') && path !== 'secrets')
  if (isLeaf) return [row]
  return children.flatMap(([name, child]) =>
    rowsOf(child, fieldOf(fallback, name), path === '' ? name : `${path}.${name}`),
  )
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

const cell = (text: string) => text.replaceAll('|', '\\|')

function shown(value: unknown): string {
  if (value === undefined || value === '') return ''
  return `\`${cell(JSON.stringify(value))}\``
}
