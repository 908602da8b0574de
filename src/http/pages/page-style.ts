import { html, type SafeHtml } from './html.ts'

/** The one style sheet. Colours meet WCAG 2.2 AA on their backgrounds in both schemes. */
export const pageStyle: SafeHtml = html`
:root {
  color-scheme: light dark;
  --ground: #f4f6f6; --card: #ffffff; --line: #dce3e2; --control: #6f827e; --ink: #14211f; --soft: #4e5f5c;
  --accent: #0b6b62; --accent-strong: #084f48; --on-accent: #ffffff;
  --good: #1c6b37; --good-ground: #e5f4ea; --bad: #a3261d; --bad-ground: #fbeae8; --code: #eef2f2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0e1514; --card: #16201e; --line: #2b3a37; --control: #7f938e; --ink: #e9f0ee; --soft: #a5b6b2;
    --accent: #63d2c3; --accent-strong: #8be3d7; --on-accent: #06211d;
    --good: #86dda2; --good-ground: #14321f; --bad: #ffa79f; --bad-ground: #3b1a17; --code: #0f1817;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; min-height: 100vh; min-height: 100dvh; padding: 48px 24px; display: flex; flex-direction: column; align-items: center;
  background: var(--ground); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; overflow-wrap: anywhere;
}
.page { width: 100%; max-width: 560px; margin: auto 0; }
.brand { display: flex; align-items: center; gap: 10px; margin: 0 0 20px 4px; color: var(--accent); font-weight: 650; letter-spacing: -.01em; }
.mark { flex: none; }
main { background: var(--card); border: 1px solid var(--line); border-radius: 16px; padding: 36px; }
h1 { margin: 0 0 12px; font-size: 1.625rem; line-height: 1.25; letter-spacing: -.02em; font-weight: 680; text-wrap: balance; }
h2 { margin: 28px 0 8px; font-size: 1rem; font-weight: 650; }
p { margin: 0 0 14px; text-wrap: pretty; }
main > :last-child { margin-bottom: 0; }
.lead { font-size: 1.0625rem; }
.soft { color: var(--soft); font-size: .9375rem; }
a { color: var(--accent); text-underline-offset: 3px; }
a:hover { color: var(--accent-strong); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; border-radius: 4px; }
.facts { margin: 24px 0; border-top: 1px solid var(--line); }
.facts div { display: grid; grid-template-columns: 132px 1fr; gap: 4px 20px; padding: 12px 0; border-bottom: 1px solid var(--line); }
.facts dt { color: var(--soft); font-size: .9375rem; }
.facts dd { margin: 0; font-weight: 550; }
.facts dd .soft { display: block; font-weight: 400; }
.chips { display: flex; flex-wrap: wrap; gap: 6px; margin: 0; padding: 0; list-style: none; }
code, pre, .chips li { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: .875rem; }
.chips li, code { background: var(--code); border: 1px solid var(--line); border-radius: 6px; padding: 1px 7px; font-weight: 400; -webkit-box-decoration-break: clone; box-decoration-break: clone; }
pre { margin: 0 0 14px; padding: 14px 16px; background: var(--code); border: 1px solid var(--line); border-radius: 10px; white-space: pre-wrap; line-height: 1.5; }
pre code { padding: 0; border: 0; background: none; }
.button {
  display: block; width: 100%; padding: 13px 20px; border: 1px solid transparent; border-radius: 10px; cursor: pointer; text-align: center; text-decoration: none;
  background: var(--accent); color: var(--on-accent); font: inherit; font-weight: 650;
}
.next { margin: 24px 0 14px; }
.quiet { margin-top: 10px; background: transparent; color: var(--accent); border-color: var(--control); }
.quiet:hover { background: var(--code); color: var(--accent-strong); }
.link { display: block; margin: 16px auto 0; padding: 6px 10px; border: 0; background: none; color: var(--accent); font: inherit; font-size: .9375rem; text-decoration: underline; text-underline-offset: 3px; cursor: pointer; }
form.item { margin: 20px 0 0; padding-top: 4px; border-top: 1px solid var(--line); }
form.item h2 { margin-top: 16px; }
.whole { white-space: nowrap; }
.notice { padding: 12px 16px; border-radius: 10px; background: var(--good-ground); color: var(--good); font-weight: 600; }
.warning { padding: 12px 16px; border-radius: 10px; background: var(--bad-ground); }
.warning strong { color: var(--bad); }
label { display: block; font-weight: 650; }
label + .soft { margin-bottom: 8px; }
.field { display: block; width: 100%; margin: 0 0 14px; padding: 12px 14px; border: 1px solid var(--control); border-radius: 10px; background: var(--card); color: var(--ink); font: inherit; }
.button:hover { background: var(--accent-strong); color: var(--on-accent); }
.button:focus-visible { border-radius: 10px; }
details { margin-top: 8px; font-weight: 400; }
summary { cursor: pointer; color: var(--accent); font-size: .9375rem; margin-bottom: 8px; }
details .soft { margin: 8px 0 0; }
.badge { display: inline-flex; align-items: center; justify-content: center; width: 44px; height: 44px; margin: 0 0 18px; border-radius: 50%; }
.good .badge { background: var(--good-ground); color: var(--good); }
.bad .badge { background: var(--bad-ground); color: var(--bad); }
.links { margin: 0 0 14px; padding-left: 20px; }
.links li { margin: 6px 0; }
@media (max-width: 520px) {
  body { padding: 20px 14px; }
  main { padding: 24px 20px; border-radius: 14px; }
  h1 { font-size: 1.375rem; }
  .facts div { grid-template-columns: 1fr; }
}
@media (forced-colors: active) { .button, main, .badge { border: 1px solid; } }
`
