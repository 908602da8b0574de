import { setTimeout as wait } from 'node:timers/promises'
import type { CallToolResult, McpServer, ServerContext } from '@modelcontextprotocol/server'
import { z } from 'zod'
import type { Clock } from '../kernel/clock.ts'
import { accountOf } from './account.ts'

const readOnly = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false }

/** Registers the sandbox's tools: small, harmless, and each good for trying one thing out. */
export function registerTools(server: McpServer, { clock }: { readonly clock: Clock }): void {
  server.registerTool(
    'whoami',
    {
      title: 'Who am I?',
      description: 'Returns the name of the account that authorized this connection.',
      outputSchema: z.object({ account: z.string().describe('The name picked on the sign-in page') }),
      annotations: readOnly,
    },
    (context: ServerContext) => {
      const account = accountOf(context.http?.authInfo)
      return { ...text(`You are ${account}.`), structuredContent: { account } }
    },
  )

  server.registerTool(
    'add',
    {
      title: 'Add two numbers',
      description: 'Adds two numbers and returns their sum.',
      inputSchema: z.object({ a: z.number().describe('First number'), b: z.number().describe('Second number') }),
      outputSchema: z.object({ sum: z.number() }),
      annotations: readOnly,
    },
    ({ a, b }) => ({ ...text(String(a + b)), structuredContent: { sum: a + b } }),
  )

  server.registerTool(
    'echo',
    {
      title: 'Echo',
      description: 'Returns the text it was given, unchanged.',
      inputSchema: z.object({ text: z.string().describe('What to return') }),
      annotations: readOnly,
    },
    (input) => text(input.text),
  )

  server.registerTool(
    'slow_count',
    {
      title: 'Count slowly',
      description:
        'Counts from 1 to n with a pause before each number, reporting progress on the way. Good for watching a stream.',
      inputSchema: z.object({
        n: z.int().min(1).max(100).describe('Count up to this number'),
        pause_ms: z.int().min(0).max(5000).default(500).describe('Milliseconds before each number'),
      }),
      annotations: readOnly,
    },
    async ({ n, pause_ms }, context) => {
      for (let progress = 1; progress <= n; progress++) {
        await wait(pause_ms, undefined, { signal: context.mcpReq.signal })
        await reportProgress(context, { progress, total: n, message: `${progress} of ${n}` })
      }
      return text(`Counted to ${n}.`)
    },
  )

  server.registerTool(
    'token_info',
    {
      title: 'Access token: time left',
      description: 'Returns how many seconds the access token of this call is still good for. Never the token itself.',
      outputSchema: z.object({
        seconds_left: z.int(),
        expires_at: z.iso.datetime(),
        scopes: z.array(z.string()),
      }),
      annotations: { ...readOnly, idempotentHint: false },
    },
    (context: ServerContext) => {
      const auth = context.http?.authInfo
      const expiresAt = new Date((auth?.expiresAt ?? 0) * 1000)
      const secondsLeft = Math.max(0, Math.floor((expiresAt.getTime() - clock.now().getTime()) / 1000))
      return {
        ...text(`The access token is good for another ${secondsLeft} seconds.`),
        structuredContent: {
          seconds_left: secondsLeft,
          expires_at: expiresAt.toISOString(),
          scopes: auth?.scopes ?? [],
        },
      }
    },
  )
}

function text(value: string): CallToolResult {
  return { content: [{ type: 'text', text: value }] }
}

/** Callers who want progress send a token to report it under (MCP: utilities/progress). */
async function reportProgress(
  context: ServerContext,
  step: { readonly progress: number; readonly total: number; readonly message: string },
): Promise<void> {
  const progressToken = context.mcpReq._meta?.progressToken
  if (progressToken === undefined) return
  await context.mcpReq.notify({ method: 'notifications/progress', params: { progressToken, ...step } })
}
