import { isAbsolute, relative, resolve } from 'node:path'

/** A path as a person would write it: from the folder that the process stands in where it lies below, else in full. */
export function shownPath(path: string): string {
  const below = relative('.', path)
  return below === '' || below.startsWith('..') || isAbsolute(below) ? resolve(path) : below
}

/** Text as one word of a shell's command line. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
