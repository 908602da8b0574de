/** Which issuer the credentials of a preset without `issuer` belong to: the one found at the preset's first connect. */
export type PresetPinStore = {
  /** The pinned issuer; `issuer` becomes it when there is none yet. Of two callers at once, one pins and both read it. */
  pin(presetId: string, issuer: string): Promise<string>
  find(presetId: string): Promise<string | null>
  /** Forgets the pin, so that the next connect pins anew. False when there was none. */
  unpin(presetId: string): Promise<boolean>
}
