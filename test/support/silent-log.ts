/** For parts that want a logger where the test does not care what they say. */
export const silentLog = { info: (): void => {}, warn: (): void => {} }
