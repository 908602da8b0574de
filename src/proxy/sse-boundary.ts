/**
 * Where in an event stream the bytes so far end (WHATWG HTML, section 9.2.5: lines end in LF, CR or CRLF, an empty
 * line ends an event). Comments may be put in at `atBoundary` and `atBoundaryCr` only: anywhere else they would stand
 * inside somebody's event.
 */
export const sseState = {
  /** Nothing was sent yet, or an event has just ended. */
  atBoundary: 0,
  /** The same, by a CR to which a LF may still belong; a comment in between leaves one more empty line, which is nothing. */
  atBoundaryCr: 1,
  inLine: 2,
  afterLine: 3,
  afterLineCr: 4,
} as const

const lf = 0x0a
const cr = 0x0d
/** The state after this many bytes does not depend on what was before them, if the first of them is taken as text. */
const tailLength = 4

/** The state after `chunk`, given the state before it. Looks at four bytes at most, whatever the length. */
export function advanceSseState(state: number, chunk: Buffer): number {
  let index = 0
  let next = state
  if (chunk.length >= tailLength) {
    index = chunk.length - tailLength
    next = sseState.inLine
  }
  for (; index < chunk.length; index += 1) {
    const byte = chunk[index]
    const isLineEmpty = next !== sseState.inLine
    if (byte === lf) {
      const completesCrLf = next === sseState.afterLineCr
      next = isLineEmpty && !completesCrLf ? sseState.atBoundary : sseState.afterLine
    } else if (byte === cr) next = isLineEmpty ? sseState.atBoundaryCr : sseState.afterLineCr
    else next = sseState.inLine
  }
  return next
}

/** True where a comment may be put in, or the stream ended, without cutting an event in two. */
export function isAtEventBoundary(state: number): boolean {
  return state <= sseState.atBoundaryCr
}
