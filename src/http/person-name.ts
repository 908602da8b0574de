/** A name that somebody types to say who they are, where that is enough. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
export const personName = /^[^\u0000-\u001f\u007f-\u009f]{1,64}$/
