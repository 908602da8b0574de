/** A row of docs/security-checklist.md. */
export type Row = {
  readonly id: string
  readonly area: string
  readonly priority: 'P0' | 'P1' | 'P2'
  readonly summary: string
  readonly isFinished: boolean
}

/**
 * Reads the rows, and which are finished: the line `Finished:` names rows (`AP-10`), ranges (`AP-01..08`) and whole areas
 * (`SS`).
 *
 * @throws Error for a row given twice, and for a finished one that does not exist
 */
export function readRows(document: string): Row[] {
  const found = [...document.matchAll(/^\| ([A-Z]+)-(\d+)\s*\| (P[012])\s*\| (.*?)\s*\|$/gm)]
  const finished = new Set(readFinished(document))
  const rows = found.map(([, area = '', number = '', priority = '', summary = '']): Row => {
    const id = `${area}-${number}`
    const isFinished = finished.has(id) || finished.has(area)
    return { id, area, priority: priority as Row['priority'], summary, isFinished }
  })
  const ids = new Set(rows.map(({ id }) => id))
  if (ids.size !== rows.length) throw new Error('the checklist has a row twice')
  const known = new Set([...ids, ...rows.map(({ area }) => area)])
  for (const name of finished) if (!known.has(name)) throw new Error(`"Finished:" names ${name}, which is no row`)
  return rows
}

function readFinished(document: string): string[] {
  const [, list = ''] = /^Finished: (.*)$/m.exec(document) ?? []
  return list
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
    .flatMap((item) => {
      const range = /^([A-Z]+)-(\d+)\.\.(\d+)$/.exec(item)
      if (range === null) return [item]
      const [, area = '', first = '', last = ''] = range
      const count = Number(last) - Number(first) + 1
      return Array.from(
        { length: count },
        (_, at) => `${area}-${String(Number(first) + at).padStart(first.length, '0')}`,
      )
    })
}

/** The rows that a test's title begins with: `SS-07, SS-08: follows no redirect`. */
export function idsOfTitle(title: string): string[] {
  const [lead = ''] = /^[A-Z]{2,3}-\d{2}(, [A-Z]{2,3}-\d{2})*(?=:)/.exec(title) ?? []
  return lead === '' ? [] : lead.split(', ')
}
