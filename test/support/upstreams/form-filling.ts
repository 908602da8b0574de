import type { Form, FormButton, FormField } from './html-document.ts'

export type Submission = {
  /** Text, name or value of the button to press. Left out: the first button of the only form. */
  readonly button?: string
  /** Values by the name or the label of the field. A radio button takes the value or label to choose. */
  readonly fields?: Readonly<Record<string, string | boolean>>
}

export type FilledForm = { readonly url: URL; readonly method: 'GET' | 'POST'; readonly body?: string }

/**
 * The request that filling in and submitting a form makes (HTML standard, form submission, urlencoded).
 *
 * @throws when there is no such form, button, field or choice; the message lists what there is
 */
export function fillForm(forms: readonly Form[], submission: Submission, pageUrl: string): FilledForm {
  const { form, button } = chooseButton(forms, submission.button, pageUrl)
  const given = Object.entries(submission.fields ?? {})
  for (const [key, value] of given) assertFillable(form, key, value)
  const pairs = form.fields.flatMap((field): [string, string][] => {
    const value = fieldValue(field, given)
    return value === undefined ? [] : [[field.name, value]]
  })
  if (button !== undefined && button.name !== '') pairs.push([button.name, button.value])
  const data = new URLSearchParams(pairs).toString()
  const action = button?.formAction ?? form.action
  const url = new URL(action === '' ? pageUrl : action, pageUrl)
  if (form.method === 'POST') return { url, method: 'POST', body: data }
  url.search = data
  return { url, method: 'GET' }
}

function chooseButton(forms: readonly Form[], wanted: string | undefined, pageUrl: string) {
  if (wanted === undefined) {
    const [form] = forms
    if (form === undefined || forms.length > 1) throw new Error(`${forms.length} forms on ${pageUrl}: name a button`)
    return { form, button: form.buttons[0] }
  }
  const isWanted = ({ text, name, value }: FormButton): boolean =>
    text.toLowerCase() === wanted.toLowerCase() || name === wanted || value === wanted
  for (const form of forms) {
    const button = form.buttons.find(isWanted)
    if (button !== undefined) return { form, button }
  }
  const present = forms.flatMap((form) => form.buttons.map((button) => `"${button.text}"`))
  throw new Error(`no button "${wanted}" on ${pageUrl}; there are: ${present.join(', ') || 'none'}`)
}

function isNamed(field: FormField, key: string): boolean {
  return field.name === key || (field.kind !== 'radio' && field.label === key)
}

function isChoice(field: FormField, value: string | boolean): boolean {
  return field.value === value || field.label === value
}

function assertFillable(form: Form, key: string, value: string | boolean): void {
  const fields = form.fields.filter((field) => isNamed(field, key))
  if (fields.length === 0) {
    const present = form.fields.map((field) => `${field.name} ("${field.label}")`)
    throw new Error(`no field "${key}"; there are: ${present.join(', ') || 'none'}`)
  }
  const radios = fields.filter((field) => field.kind === 'radio')
  if (radios.length > 0 && !radios.some((field) => isChoice(field, value))) {
    throw new Error(`"${key}" cannot be ${value}; there are: ${radios.map((field) => field.value).join(', ')}`)
  }
}

/** What the field sends; nothing when it is switched off. */
function fieldValue(field: FormField, given: readonly [string, string | boolean][]): string | undefined {
  const entry = given.find(([key]) => isNamed(field, key))
  if (entry === undefined) return field.isOn ? field.value : undefined
  const [, value] = entry
  if (field.kind === 'radio') return isChoice(field, value) ? field.value : undefined
  if (field.kind === 'checkbox') return value === true || isChoice(field, value) ? field.value : undefined
  return String(value)
}
