/** The style sheet of the sandbox's pages. Amber, so that nobody takes them for Patchbay's. */
export const pageStyle = `
:root {
  color-scheme: light dark;
  --ground: #f8f5ef; --card: #ffffff; --line: #e7dfd0; --ink: #241d10; --soft: #665a45;
  --accent: #8a4b00; --accent-strong: #6b3a00; --on-accent: #ffffff; --tint: #fdf3e3;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14110b; --card: #1f1a12; --line: #3a3223; --ink: #f3ecdf; --soft: #bcae96;
    --accent: #f3b45a; --accent-strong: #ffcd86; --on-accent: #2a1800; --tint: #2c2314;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; min-height: 100vh; min-height: 100dvh; padding: 40px 24px; display: flex; flex-direction: column; align-items: center;
  background: var(--ground); color: var(--ink); overflow-wrap: anywhere;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}
.page { width: 100%; max-width: 520px; margin: auto 0; }
.brand { display: flex; align-items: center; gap: 10px; margin: 0 0 18px 4px; color: var(--accent); font-weight: 650; letter-spacing: -.01em; }
.mark { flex: none; width: 22px; height: 22px; border: 2.5px solid currentColor; border-radius: 6px; border-style: dashed; }
main { background: var(--card); border: 1px solid var(--line); border-radius: 16px; padding: 32px; }
h1 { margin: 0 0 10px; font-size: 1.625rem; line-height: 1.25; letter-spacing: -.02em; font-weight: 680; text-wrap: balance; }
p { margin: 0 0 14px; }
main > :last-child { margin-bottom: 0; }
.soft { color: var(--soft); font-size: .9375rem; }
code { background: var(--tint); border: 1px solid var(--line); border-radius: 6px; padding: 1px 7px; font: .875rem ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
form { margin: 22px 0; }
fieldset { margin: 0; padding: 0; border: 0; min-width: 0; }
legend { padding: 0; margin: 0 0 10px; font-weight: 650; }
.people { display: grid; grid-template-columns: 1fr 1fr; gap: 10px; }
.person { display: flex; align-items: center; gap: 12px; padding: 12px 14px; border: 1px solid var(--line); border-radius: 12px; cursor: pointer; font-weight: 600; }
.person:hover { border-color: var(--accent); }
.person:has(:checked) { border-color: var(--accent); background: var(--tint); box-shadow: inset 0 0 0 1px var(--accent); }
.person input { flex: none; width: 18px; height: 18px; margin: 0; accent-color: var(--accent); }
.other { display: block; margin: 14px 0 0; }
.other span { display: block; margin: 0 0 6px; color: var(--soft); font-size: .9375rem; }
.other input { width: 100%; padding: 12px 14px; border: 1px solid var(--soft); border-radius: 12px; background: var(--ground); color: inherit; font: inherit; }
.other input::placeholder { color: var(--soft); opacity: 1; }
.other input:not(:placeholder-shown) { border-color: var(--accent); background: var(--tint); box-shadow: inset 0 0 0 1px var(--accent); }
fieldset:has(.other input:not(:placeholder-shown)) .person { border-color: var(--line); background: none; box-shadow: none; opacity: .6; }
.problem { margin: 14px 0 0; padding: 10px 14px; border-left: 4px solid var(--accent); background: var(--tint); }
.facts { margin: 20px 0 0; border-top: 1px solid var(--line); }
.facts div { display: grid; grid-template-columns: 108px 1fr; gap: 2px 16px; padding: 10px 0; border-bottom: 1px solid var(--line); }
.facts dt { color: var(--soft); font-size: .9375rem; }
.facts dd { margin: 0; font-weight: 550; }
.choices { display: grid; grid-template-columns: 2fr 1fr; gap: 10px; margin: 22px 0 0; }
button { padding: 13px 20px; border: 1px solid transparent; border-radius: 12px; cursor: pointer; background: var(--accent); color: var(--on-accent); font: inherit; font-weight: 650; }
button:hover { background: var(--accent-strong); }
button.quiet { background: none; border-color: var(--soft); color: var(--ink); }
button.quiet:hover { background: var(--tint); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
@media (max-width: 480px) {
  body { padding: 18px 14px; }
  main { padding: 22px 18px; border-radius: 14px; }
  h1 { font-size: 1.375rem; }
  .facts div { grid-template-columns: 1fr; }
}
@media (forced-colors: active) { main, button, .person { border: 1px solid; } }
`
