import { html } from './html.ts'
import { renderPage } from './page-layout.ts'

export type SignInPage = {
  /** Where the forms post to: the path of this very page. */
  readonly action: string
  readonly formToken: string
  readonly isDevLoginOffered: boolean
  readonly isOrganisationOffered: boolean
  /** What for, as a whole sentence. */
  readonly purpose: string
  /** Whether a connect token makes somebody known here. */
  readonly isTokenTaken: boolean
  readonly problem?: 'name' | 'connect_token'
}

const problems = {
  name: 'A name has 1 to 64 ordinary characters.',
  connect_token: 'This token is not good here. It may be used, expired, or for another connector; ask for a new one.',
} as const

/** The question who somebody is, where no app asks for anything. */
export function signInPage(page: SignInPage, nonce: string): string {
  const { action, formToken } = page
  const token = html`<input type="hidden" name="form_token" value="${formToken}">`
  return renderPage({
    title: 'Who are you?',
    nonce,
    main: html`<h1>Who are you?</h1>
<p class="lead">${page.purpose}</p>
${page.problem !== undefined && html`<p class="warning" role="alert"><strong>${problems[page.problem]}</strong></p>`}
${
  page.isOrganisationOffered &&
  html`<form class="next" method="post" action="${action}">${token}
<button class="button" type="submit" name="action" value="organisation">Sign in with your organisation</button></form>`
}
${
  page.isTokenTaken &&
  html`<form class="next" method="post" action="${action}">${token}
<label for="connect_token">Connect token</label>
<p class="soft" id="connect_token_hint">You get it from the application that offered you this connector.</p>
<input class="field" id="connect_token" name="connect_token" type="password" autocomplete="off" spellcheck="false" required maxlength="128" aria-describedby="connect_token_hint">
<button class="button" type="submit" name="action" value="connect_token">Continue</button></form>`
}
${
  page.isDevLoginOffered &&
  html`<h2>On this computer</h2>
<form class="next" method="post" action="${action}">${token}
<label for="name">A name</label>
<p class="soft" id="name_hint">Patchbay runs on this computer only, so any name will do.</p>
<input class="field" id="name" name="name" autocomplete="username" required maxlength="64" aria-describedby="name_hint">
<button class="button" type="submit" name="action" value="name">Continue as this person</button></form>`
}
${
  !page.isOrganisationOffered &&
  !page.isDevLoginOffered &&
  !page.isTokenTaken &&
  html`<p>Signing in is not set up here. Use the application that gave you the connector, or ask your administrator.</p>`
}`,
  })
}
