import type { Context } from 'koa'

/** The press must come from our own page. Browsers say so; those too old for `Sec-Fetch-Site` send an origin. */
export function isOwnForm(ctx: Context, publicUrl: URL): boolean {
  const site = ctx.get('Sec-Fetch-Site')
  if (site !== '') return site === 'same-origin'
  const origin = ctx.get('Origin')
  return origin === '' || origin === publicUrl.origin
}
