/** Where an event stands among the events of its tenant, for those who follow them. */
export type EventPlace = {
  /** The transaction that wrote it. */
  readonly xid: bigint
  readonly id: string
}

const pattern = /^(\d{1,18})-([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/

/** A place as text: `<transaction>-<id>`. */
export function formatPlace({ xid, id }: EventPlace): string {
  return `${xid}-${id}`
}

/** Null for what `formatPlace` has not written. */
export function parsePlace(text: string): EventPlace | null {
  const [, xid, id] = pattern.exec(text) ?? []
  return xid === undefined || id === undefined ? null : { xid: BigInt(xid), id }
}
