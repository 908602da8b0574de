/** On loopback the three names of this machine mean the same. */
export function loopbackHosts(publicUrl: URL): string[] {
  const port = publicUrl.port === '' ? '' : `:${publicUrl.port}`
  return ['localhost', '127.0.0.1', '[::1]'].map((host) => host + port)
}
