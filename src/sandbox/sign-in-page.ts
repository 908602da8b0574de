import { html } from './html.ts'
import { page } from './page-layout.ts'

/** What the page shows. All of it comes from the client's registration and request: untrusted, and escaped here. */
export type SignInPage = {
  /** Where the form is posted: the address of the page itself. */
  readonly action: string
  readonly clientName: string
  /** Host, or scheme of a custom-scheme address, that the answer is sent to. */
  readonly returnsTo: string
  readonly scopes: readonly string[]
  /** What was wrong with the last answer. */
  readonly problem?: string
}

/** The page that asks who you are and whether the client may act for you. It works without JavaScript. */
export function signInPage({ action, clientName, returnsTo, scopes, problem }: SignInPage): string {
  return page(
    'Who are you?',
    html`<h1>Sandbox: who are you?</h1>
<p><strong>${clientName}</strong> wants to use the sandbox's tools for you. There are no passwords here: be whoever you like.</p>
<form method="post" action="${action}">
<fieldset>
<legend>You are</legend>
<div class="people">
<label class="person"><input type="radio" name="account" value="Alice" checked>Alice</label>
<label class="person"><input type="radio" name="account" value="Bob">Bob</label>
</div>
<label class="other"><span>or someone else</span><input type="text" name="name" maxlength="40" autocomplete="off" autocapitalize="words" spellcheck="false" placeholder="Type a name"></label>
</fieldset>
${problem === undefined ? '' : html`<p class="problem" role="alert">${problem}</p>`}
<dl class="facts">
<div><dt>Returns to</dt><dd>${returnsTo}</dd></div>
<div><dt>It may</dt><dd>${scopes.length === 0 ? 'nothing (no scope was asked for)' : scopes.map(describeScope).join(', ')}</dd></div>
</dl>
<div class="choices">
<button type="submit" name="decision" value="authorize">Authorize</button>
<button type="submit" name="decision" value="deny" class="quiet">Deny</button>
</div>
</form>
<p class="soft">Nothing here is real, and it is all forgotten when the sandbox stops. The tool <code>whoami</code> answers with the name you pick.</p>`,
  )
}

function describeScope(scope: string): string {
  if (scope === 'mcp') return 'use the tools (mcp)'
  if (scope === 'offline_access') return 'stay connected (offline_access)'
  return scope
}
