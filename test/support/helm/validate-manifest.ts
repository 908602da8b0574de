/** What every manifest has. */
export type Manifest = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly annotations?: Record<string, string> }
}

/** Which package holds the models of an API group. Kinds of other people's operators have none. */
function packageOf(apiVersion: string): string {
  if (apiVersion.startsWith('gateway.networking.k8s.io/')) return '@kubernetes-models/gateway-api'
  if (apiVersion.startsWith('monitoring.coreos.com/')) return '@kubernetes-models/prometheus-operator'
  return 'kubernetes-models'
}

/**
 * Checks a manifest against the schema of its kind, as Kubernetes would.
 *
 * @throws Error with what is wrong
 */
export async function validateManifest(manifest: Manifest): Promise<void> {
  const models: Record<string, unknown> = await import(`${packageOf(manifest.apiVersion)}/${manifest.apiVersion}`)
  const Model = models[manifest.kind]
  if (typeof Model !== 'function') throw new Error(`no model of ${manifest.apiVersion} ${manifest.kind}`)
  const { apiVersion: _, kind: __, ...rest } = manifest
  const model: { validate(): void } = Reflect.construct(Model, [rest])
  model.validate()
}
