import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { parse, parseAllDocuments } from 'yaml'
import { packageRoot } from '../../src/config/package-root.ts'
import { settingTable } from '../../src/config/settings.ts'
import { type Manifest, validateManifest } from '../support/helm/validate-manifest.ts'
import { requireHelm } from '../support/lanes.ts'

const chart = join(packageRoot(), 'helm')
const sets = readdirSync(join(chart, 'ci')).map((name) => name.replace('.yaml', ''))
const kubeVersions = ['1.29.0', '1.35.0']

type EnvEntry = { name: string; value?: string; valueFrom?: { secretKeyRef: { name: string; key: string } } }
type Container = { command: string[]; env: EnvEntry[]; securityContext: Record<string, unknown> } & Record<
  string,
  unknown
>
type PodSpec = { containers: Container[]; terminationGracePeriodSeconds: number } & Record<string, unknown>
type Template = { metadata: { annotations: Record<string, string> }; spec: PodSpec }
type Rendered = Manifest & { data?: Record<string, string>; spec: { template: Template } & Record<string, unknown> }

describe('the Helm chart', function () {
  this.timeout(240_000)
  let helm: string
  let folder: string
  before(function () {
    helm = requireHelm(this)
    folder = mkdtempSync(join(tmpdir(), 'chart-'))
  })
  after(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true })
  })

  const run = (...args: string[]): string =>
    execFileSync(helm, args, { encoding: 'utf8', stdio: 'pipe', env: { PATH: process.env.PATH, HOME: folder } })
  const valuesOf = (set: string) => join(chart, 'ci', `${set}.yaml`)
  const read = (text: string): Rendered[] =>
    parseAllDocuments(text)
      .map((document): Rendered | null => document.toJS())
      .filter((manifest) => manifest !== null)
  const template = (set: string, ...args: string[]) =>
    read(run('template', 'rel', chart, '--namespace', 'ns', '-f', valuesOf(set), ...args))
  const named = (manifests: Rendered[], kind: string, name: string): Rendered => {
    const found = manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name)
    if (found === undefined) throw new Error(`no ${kind} ${name}`)
    return found
  }
  const podOf = (manifests: Rendered[], component: string): PodSpec =>
    named(manifests, 'Deployment', `rel-patchbay-${component}`).spec.template.spec
  const envOf = (manifests: Rendered[], component: string): Map<string, EnvEntry> =>
    new Map(podOf(manifests, component).containers.flatMap(({ env }) => env.map((entry) => [entry.name, entry])))
  const why = (call: () => unknown): string => {
    try {
      call()
    } catch (error) {
      return String(Reflect.get(Object(error), 'stderr'))
    }
    throw new Error('nothing was refused')
  }

  for (const set of sets) {
    it(`is linted, and every manifest is valid, with the values ${set}`, async () => {
      run('lint', '--strict', chart, '-f', valuesOf(set))
      for (const version of kubeVersions) {
        const manifests = template(set, '--kube-version', version)
        expect(manifests.length).to.be.greaterThan(9)
        for (const manifest of manifests.filter(({ kind }) => kind !== 'ExternalSecret')) {
          await validateManifest(manifest).catch((cause: unknown) => {
            throw new Error(`${manifest.kind} ${manifest.metadata.name}: ${cause}`)
          })
        }
      }
    })
  }

  it('validates for a reason: a field of a wrong type is found', async () => {
    const [deployment] = template('minimal').filter(({ kind }) => kind === 'Deployment')
    const wrong = structuredClone(deployment)
    Object.assign(wrong?.spec ?? {}, { replicas: 'two' })
    const outcome = await validateManifest(wrong as Manifest).then(() => 'valid', String)
    expect(outcome).to.include('replicas')
  })

  it('CR-11: runs without privileges and without a token', () => {
    for (const set of sets) {
      for (const manifest of template(set)) {
        if (manifest.kind === 'ServiceAccount') expect(manifest).to.include({ automountServiceAccountToken: false })
        if (!['Deployment', 'StatefulSet', 'Job'].includes(manifest.kind)) continue
        const { spec } = manifest.spec.template
        expect(spec, `${set} ${manifest.metadata.name}`).to.deep.include({ automountServiceAccountToken: false })
        expect(spec.securityContext).to.deep.include({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
        for (const { securityContext } of spec.containers) {
          expect(securityContext).to.deep.equal({
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          })
        }
      }
    }
  })

  it('CR-11: has no secret outside a Secret: not in arguments, environments, annotations, config maps or notes', () => {
    for (const set of sets) {
      const secrets = secretsIn(parse(readFileSync(valuesOf(set), 'utf8')))
      const manifests = template(set)
      const outside = JSON.stringify(manifests.filter(({ kind }) => kind !== 'Secret'))
      const inside = manifests
        .filter(({ kind }) => kind === 'Secret')
        .flatMap(({ data }) => Object.values(data ?? {}).map((value) => Buffer.from(value, 'base64').toString()))
        .join('\n')
      for (const secret of secrets) {
        for (const form of [secret, Buffer.from(secret).toString('base64'), encodeURIComponent(secret)]) {
          expect(outside.includes(form), `${set}: ${secret}`).to.equal(false)
        }
        // the control: it did arrive
        expect(inside, set).to.include(secret)
      }
      const notes = readFileSync(join(chart, 'templates', 'NOTES.txt'), 'utf8')
      expect(notes).not.to.match(/\.Values\.(secrets|connector|postgresql\.password)/)
    }
    expect(secretsIn(parse(readFileSync(valuesOf('everything'), 'utf8')))).to.have.length.greaterThan(3)
  })

  it('CR-11: needs no secret in its values at all', () => {
    const manifests = template('external-secrets')
    expect(manifests.filter(({ kind }) => kind === 'Secret')).to.deep.equal([])
    for (const component of ['server', 'worker']) {
      const env = envOf(manifests, component)
      expect(env.get('ENCRYPTION_KEYS')?.valueFrom).to.deep.equal({
        secretKeyRef: { name: 'patchbay-external', key: 'encryption_keys' },
      })
      expect(env.get('CONNECTOR__PRESETS')?.valueFrom?.secretKeyRef.key).to.equal('presets')
      expect(env.get('BOX_CLIENT_SECRET')?.valueFrom?.secretKeyRef.key).to.equal('box')
    }
  })

  it('brings the presets to both deployments through a Secret', () => {
    const manifests = template('presets')
    const { data } = named(manifests, 'Secret', 'rel-patchbay-presets')
    const presets = JSON.parse(Buffer.from(data?.CONNECTOR__PRESETS ?? '', 'base64').toString())
    expect(presets).to.have.length(2)
    for (const component of ['server', 'worker']) {
      const env = envOf(manifests, component)
      expect(env.get('CONNECTOR__PRESETS')).to.deep.equal({
        name: 'CONNECTOR__PRESETS',
        valueFrom: { secretKeyRef: { name: 'rel-patchbay-presets', key: 'CONNECTOR__PRESETS' } },
      })
      expect(env.get('GITHUB_CLIENT_SECRET')?.valueFrom?.secretKeyRef.name).to.equal('rel-patchbay')
      expect(env.get('PRESETS_MODE')?.value).to.equal('extend')
    }
  })

  it('changes the Secret and one annotation of each deployment, and nothing else, when a preset changes', () => {
    const file = join(folder, 'changed.yaml')
    const text = readFileSync(valuesOf('presets'), 'utf8')
    writeFileSync(file, text.replace('client_secret: preset-canary-secret', 'client_secret: another'))
    const before = template('presets')
    const after = read(run('template', 'rel', chart, '--namespace', 'ns', '-f', file))
    const changed = after.filter((manifest, index) => JSON.stringify(manifest) !== JSON.stringify(before[index]))
    expect(changed.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).to.have.members([
      'Secret rel-patchbay-presets',
      'Deployment rel-patchbay-server',
      'Deployment rel-patchbay-worker',
    ])
    for (const component of ['server', 'worker']) {
      const [old, fresh] = [before, after].map((list) =>
        structuredClone(named(list, 'Deployment', `rel-patchbay-${component}`)),
      )
      if (old === undefined || fresh === undefined) throw new Error('no deployment')
      const annotations = fresh.spec.template.metadata.annotations
      expect(annotations['patchbay/presets']).not.to.equal(old.spec.template.metadata.annotations['patchbay/presets'])
      annotations['patchbay/presets'] = old.spec.template.metadata.annotations['patchbay/presets'] ?? ''
      expect(fresh).to.deep.equal(old)
    }
  })

  it('has probes, budgets, policies, and more time to end than the drain takes', () => {
    const manifests = template('minimal')
    for (const component of ['server', 'worker']) {
      const pod = podOf(manifests, component)
      expect(pod.terminationGracePeriodSeconds).to.be.greaterThan(40)
      expect(pod.topologySpreadConstraints).to.have.length(2)
      expect(pod.containers[0]).to.deep.include.keys('startupProbe', 'livenessProbe', 'readinessProbe')
      named(manifests, 'PodDisruptionBudget', `rel-patchbay-${component}`)
      const policy = named(manifests, 'NetworkPolicy', `rel-patchbay-${component}`)
      const text = JSON.stringify(policy.spec.egress)
      for (const range of ['10.0.0.0/8', '169.254.0.0/16', '127.0.0.0/8', 'fc00::/7']) expect(text).to.include(range)
    }
    expect(template('ha').filter(({ kind }) => kind === 'HorizontalPodAutoscaler')).to.have.length(2)
    expect(template('ha').find(({ kind }) => kind === 'Deployment')?.spec).not.to.have.property('replicas')
  })

  it('migrates in a hook before the new pods, with an own copy of what the hook needs', () => {
    const manifests = template('presets')
    const job = named(manifests, 'Job', 'rel-patchbay-migration')
    expect(job.metadata.annotations?.['helm.sh/hook']).to.equal('pre-install,pre-upgrade')
    const { env } = job.spec.template.spec.containers[0] ?? {}
    const used = env?.find(({ name }) => name === 'DATABASE_URL')?.valueFrom?.secretKeyRef.name
    expect(named(manifests, 'Secret', String(used)).metadata.annotations).to.deep.include({
      'helm.sh/hook': 'pre-install,pre-upgrade',
    })
    expect(envOf(manifests, 'server').get('MIGRATE')?.value).to.equal('off')
    // with the bundled database, which is not there before the install, the server does it
    expect(template('minimal').filter(({ kind }) => kind === 'Job')).to.deep.equal([])
    expect(envOf(template('minimal'), 'server').has('MIGRATE')).to.equal(false)
  })

  it('lets servers reach one another directly, by their own address', () => {
    const env = [...envOf(template('everything'), 'server').keys()]
    // $(POD_IP) is known to what stands behind it only
    expect(env.indexOf('POD_IP')).to.be.greaterThan(-1).and.lessThan(env.indexOf('INTERNAL_URL'))
    expect(envOf(template('everything'), 'server').get('INTERNAL_URL')?.value).to.equal('http://$(POD_IP):8333')
    expect(envOf(template('everything'), 'worker').has('INTERNAL_URL')).to.equal(false)
    const { ingress, egress } = named(template('everything'), 'NetworkPolicy', 'rel-patchbay-server').spec
    for (const rules of [ingress, egress]) {
      expect(JSON.stringify(rules)).to.match(
        /"port":"http"[^[]*\}\],"(from|to)":\[.*"app.kubernetes.io\/component":"server"/,
      )
    }
  })

  it('AP-13: believes the one proxy that it puts in front, and as many as are named', () => {
    const trusted = (set: string, ...args: string[]) =>
      ['server', 'worker'].map((component) => envOf(template(set, ...args), component).get('TRUSTED_PROXIES')?.value)
    const off = ['--set', 'ingress.enabled=false,gateway.enabled=false']
    for (const way of ['ingress', 'gateway'])
      expect(trusted('presets', ...off, '--set', `${way}.enabled=true`), way).to.deep.equal(['1', '1'])
    expect(trusted('presets', ...off), 'nothing in front').to.deep.equal(['0', '0'])
    for (const named of ['0', '2'])
      expect(trusted('everything', '--set', `settings.TRUSTED_PROXIES=${named}`)).to.deep.equal([named, named])
  })

  it('AP-13: says in its notes how many proxies are believed, and what to look at', () => {
    const notes = (set: string, ...args: string[]) =>
      run('install', 'rel', chart, '--dry-run=client', '-f', valuesOf(set), ...args).split('NOTES:')[1] ?? ''
    expect(notes('presets')).to.include('TRUSTED_PROXIES is "0"').and.include('set settings.TRUSTED_PROXIES to 1')
    expect(notes('everything')).to.include('TRUSTED_PROXIES is "1"').and.include('controller of the ingress')
    const named = notes('everything', '--set', 'settings.TRUSTED_PROXIES=3')
    expect(named).to.include('TRUSTED_PROXIES is "3"').and.not.include('settings.TRUSTED_PROXIES')
  })

  it('keeps whole numbers whole', () => {
    expect(envOf(template('ha'), 'server').get('MCP_BODY_LIMIT')?.value).to.equal('4194304')
  })

  it('lets every setting of docs/configuration.md be set by its name, and checks it', () => {
    const configuration = readFileSync(join(packageRoot(), 'docs', 'configuration.md'), 'utf8')
    const names = [...configuration.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name]) => name ?? '')
    expect(names).to.have.members(Object.keys(settingTable)).and.to.have.length.greaterThan(40)
    const schema = JSON.parse(readFileSync(join(chart, 'values.schema.json'), 'utf8')).properties
    expect([schema.settings.additionalProperties, schema.secrets.additionalProperties]).to.deep.equal([false, false])
    for (const name of names.filter((name) => name !== 'CONNECTOR__PRESETS')) {
      const isNamed = name in schema.settings.properties || name in schema.secrets.properties
      expect(isNamed, name).to.equal(true)
    }
  })

  const bad: readonly [string, string][] = [
    ['settings.PUBLIC_URL=', 'PUBLIC_URL'],
    ['settings.LOG_LEVEL=loud', 'LOG_LEVEL'],
    ['settings.MIGRATE=true', 'MIGRATE'],
    ['settings.LOG_LEVLE=info', 'LOG_LEVLE'],
    ['settings.DATABASE_URL=postgresql://x', 'DATABASE_URL'],
    ['settings.PORT=70000', 'PORT'],
    ['settings.TRUSTED_PROXIES=all', 'TRUSTED_PROXIES'],
    ['server.replicas=many', 'replicas'],
    ['server.replica=3', 'replica'],
    ['image.digest=latest', 'digest'],
    ['terminationGracePeriodSeconds=30', 'terminationGracePeriodSeconds'],
    ['connector.presets[0].url=x', 'url'],
    ['secrets.ENCRYPTION_KEYS.value=', 'ENCRYPTION_KEYS'],
    ['postgresql.enabled=true', 'DATABASE_URL'],
    ['connector.existingSecret=x', 'connector.presets'],
  ]
  for (const [value, word] of bad) {
    it(`refuses ${value}`, () => {
      expect(why(() => template('presets', '--set', value))).to.include(word)
    })
  }
})

/** What is secret in a set of values. */
function secretsIn(values: Record<string, unknown>): string[] {
  const found: string[] = []
  const visit = (node: unknown, name: string): void => {
    if (typeof node === 'string' && ['value', 'client_secret'].includes(name)) found.push(node)
    if (typeof node === 'object' && node !== null) {
      for (const [key, child] of Object.entries(node)) visit(child, key)
    }
  }
  const { secrets, connector, postgresql } = values
  for (const part of [secrets, connector, postgresql]) visit(part, '')
  return found
}
