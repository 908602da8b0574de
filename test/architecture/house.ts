/** Where a room stands: a numbered floor of subjects, or one of the edges. */
export type Level = number | 'in' | 'out' | 'top'

/** A folder of `src/` (or `workers`), and its level, as the table in docs/architecture.md says. */
export type House = ReadonlyMap<string, Level>

/** Reads the table of floors: `| 0 | \`kernel\` | ... |`. */
export function readHouse(document: string): House {
  const rows = document.matchAll(/^\|\s*(\d+|in|out|top)\s*\|([^|]*)\|/gm)
  const rooms = [...rows].flatMap(([, level = '', cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']): [string, Level] => [
      name.replace(/\/$/, ''),
      /^\d+$/.test(level) ? Number(level) : (level as 'in' | 'out' | 'top'),
    ]),
  )
  return new Map(rooms)
}

/**
 * The room that a file lies in: `http` for `src/http/routes/x.ts`, `workers` for `workers/x.ts`. A file directly in
 * `src/` is a room of its own, named like the file.
 */
export function roomOf(path: string): string {
  const [top = '', second = ''] = path.split('/')
  return top === 'src' ? second : top
}

/** Undefined for a folder that the table does not know. Files directly in `src/` wire things: they are on top. */
export function levelOf(house: House, room: string): Level | undefined {
  return house.get(room) ?? (room.endsWith('.ts') ? 'top' : undefined)
}
