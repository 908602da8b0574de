import { type Answer, closeInBody, hangAfterHeaders, respondInPieces, respondResult } from './scripted-upstream.ts'

const eventStream = { 'content-type': 'text/event-stream', 'mcp-session-id': 'session' }

/** Answers of every sort that a relayed call can end with, for loads that look for what is left behind. */
export function mixedAnswers(events: number): Readonly<Record<string, Answer>> {
  return {
    json: respondResult({ content: [{ type: 'text', text: 'x'.repeat(900) }] }),
    events: respondInPieces(
      Array.from({ length: events }, (_, index) => `id: ${index}\ndata: {"n":${index}}\n\n`),
      eventStream,
    ),
    'cut by the caller': hangAfterHeaders(eventStream),
    'cut by the upstream': closeInBody('data: {}\n\n', eventStream),
  }
}
