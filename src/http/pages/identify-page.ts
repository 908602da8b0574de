import { type ConsentFacts, clientFacts, clientName, clientWarning, connectorTitle } from './consent-parts.ts'
import { html } from './html.ts'
import { renderPage } from './page-layout.ts'

export type IdentifyPage = ConsentFacts & {
  /** Where the forms post to: the path of this very page. */
  readonly action: string
  readonly formToken: string
  /** Whether a name is enough: on this computer only. */
  readonly isDevLoginOffered: boolean
  /** Whether people can sign in at their organisation. */
  readonly isOrganisationOffered: boolean
  /** What was wrong with the last try. */
  readonly problem?: 'connect_token' | 'name' | 'no_access'
}

const problems = {
  connect_token: 'This token is not good here. It may be used, expired, or for another connector; ask for a new one.',
  name: 'A name has 1 to 64 ordinary characters.',
  no_access: 'You have no access to this connector. Ask an administrator, or go on as somebody else.',
} as const

/** The question who sits in front of the browser, before anything is asked of them. */
export function identifyPage(page: IdentifyPage, nonce: string): string {
  const { action, formToken, problem } = page
  const token = html`<input type="hidden" name="form_token" value="${formToken}">`
  return renderPage({
    title: 'Who are you?',
    nonce,
    main: html`<h1>Who are you?</h1>
<p class="lead">${clientName(page)} asks to use ${connectorTitle(page)}. Before you decide, say who you are.</p>
${clientWarning(page)}
${problem !== undefined && html`<p class="warning" role="alert"><strong>${problems[problem]}</strong></p>`}
<dl class="facts">
${clientFacts(page)}
</dl>
${
  page.isOrganisationOffered &&
  html`<form class="next" method="post" action="${action}">${token}
<button class="button" type="submit" name="action" value="organisation">Sign in with your organisation</button></form>
<h2>Or with a token</h2>`
}
<form class="next" method="post" action="${action}">${token}
<label for="connect_token">Connect token</label>
<p class="soft" id="connect_token_hint">You get it from the application that offered you this connector.</p>
<input class="field" id="connect_token" name="connect_token" type="password" autocomplete="off" spellcheck="false" required maxlength="128" aria-describedby="connect_token_hint">
<button class="${page.isOrganisationOffered ? 'button quiet' : 'button'}" type="submit" name="action" value="connect_token">Continue</button></form>
${
  page.isDevLoginOffered &&
  html`<h2>On this computer</h2>
<form method="post" action="${action}">${token}
<label for="name">A name</label>
<p class="soft" id="name_hint">Patchbay runs on this computer only, so any name will do.</p>
<input class="field" id="name" name="name" autocomplete="username" required maxlength="64" aria-describedby="name_hint">
<button class="${page.isOrganisationOffered ? 'button quiet' : 'button'}" type="submit" name="action" value="name">Continue as this person</button></form>`
}`,
  })
}
