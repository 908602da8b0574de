import { completable, type McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'

const styles = ['friendly', 'formal', 'pirate']

/** Registers one prompt, with an argument that can be completed. */
export function registerPrompts(server: McpServer): void {
  server.registerPrompt(
    'greet',
    {
      title: 'Greet someone',
      description: 'Asks the model to greet a person.',
      argsSchema: z.object({
        name: z.string().describe('Whom to greet'),
        style: completable(
          z
            .string()
            .optional()
            .describe(`How: ${styles.join(', ')}`),
          (typed) => styles.filter((style) => style.startsWith(typed ?? '')),
        ),
      }),
    },
    ({ name, style }) => ({
      messages: [
        { role: 'user', content: { type: 'text', text: `Write a ${style ?? 'friendly'} greeting for ${name}.` } },
      ],
    }),
  )
}
