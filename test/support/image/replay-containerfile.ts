import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'

type Instruction = { readonly name: string; readonly rest: string }

export type Replayed = {
  /** Where the last stage's `/` is. */
  readonly root: string
  readonly workingDirectory: string
  readonly env: Readonly<Record<string, string>>
  /** The command of HEALTHCHECK and of CMD. */
  readonly healthCheck: readonly string[]
  readonly command: readonly string[]
  readonly user: string
}

type Options = {
  readonly containerfile: string
  /** The build context. */
  readonly context: string
  /** An empty folder: each stage gets its `/` in it. */
  readonly folder: string
  /** Whom RUN runs as: never root. */
  readonly ids: { readonly uid: number; readonly gid: number }
  readonly env: Readonly<Record<string, string>>
}

/** The instructions of a Containerfile, continuation lines joined. */
function readInstructions(text: string): Instruction[] {
  return text
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name = '', rest = ''] = /^(\w+)\s+(.*)$/.exec(line) ?? []
      return { name: name.toUpperCase(), rest: rest.trim() }
    })
}

/** Does what a container build does, without containers: COPY and RUN of every stage, in folders instead of images. */
export function replayContainerfile({ containerfile, context, folder, ids, env }: Options): Replayed {
  const stages = new Map<string, string>()
  let root = ''
  let workingDirectory = ''
  let stageEnv: Record<string, string> = {}
  let healthCheck: string[] = []
  let command: string[] = []
  let user = ''
  const inStage = (path: string) => (path.startsWith('/') ? join(root, path) : join(workingDirectory, path))
  // Paths outside the working directory stand for those of the stage.
  const mapped = (text: string) =>
    text.replace(/(?<=\s)\/(?=\w)/g, `${root}/`).replaceAll('10001:10001', `${ids.uid}:${ids.gid}`)

  const steps: Record<string, (rest: string) => void> = {
    FROM(rest) {
      const name = / AS (\S+)$/i.exec(rest)?.[1] ?? 'final'
      root = join(folder, name)
      stages.set(name, root)
      workingDirectory = root
      stageEnv = {}
      own(root)
    },
    WORKDIR(rest) {
      workingDirectory = inStage(rest)
      own(workingDirectory)
    },
    ENV(rest) {
      for (const pair of rest.split(/\s+/)) {
        const [name = '', value = ''] = pair.split('=')
        stageEnv[name] = value
      }
    },
    COPY(rest) {
      const from = /^--from=(\S+)\s+/.exec(rest)
      const sources = rest.replace(/^--\S+\s+/, '').split(/\s+/)
      const target = sources.pop() ?? ''
      for (const source of sources) {
        const base = from === null ? context : stages.get(from[1] ?? '')
        if (base === undefined) throw new Error(`COPY --from: no stage ${from?.[1]}`)
        const to = target.endsWith('/') ? join(inStage(target), source) : inStage(target)
        cpSync(join(base, source), to, { recursive: true, filter: (path) => !isIgnored(path) })
        handOver(to)
      }
    },
    RUN(rest) {
      execFileSync('/bin/sh', ['-ec', mapped(rest)], {
        cwd: workingDirectory,
        env: { ...env, ...stageEnv, HOME: folder },
        ...ids,
        stdio: 'pipe',
        timeout: 400_000,
      })
    },
    USER: (rest) => {
      user = rest
    },
    HEALTHCHECK: (rest) => {
      healthCheck = JSON.parse(rest.slice(rest.indexOf('[')))
    },
    CMD: (rest) => {
      command = JSON.parse(rest)
    },
    ARG: () => {},
    VOLUME: () => {},
    EXPOSE: () => {},
  }

  function own(path: string): void {
    mkdirSync(path, { recursive: true })
    handOver(path)
  }
  function handOver(path: string): void {
    if (process.getuid?.() === 0) execFileSync('chown', ['-R', `${ids.uid}:${ids.gid}`, path])
    else chmodSync(dirname(path), 0o755)
  }

  for (const { name, rest } of readInstructions(readFileSync(containerfile, 'utf8'))) {
    const step = steps[name]
    if (step === undefined) throw new Error(`the replay does not know ${name}`)
    step(rest)
  }
  return { root, workingDirectory, env: stageEnv, healthCheck, command, user }
}

const isIgnored = (path: string) => path.includes(`${sep}storage${sep}generated`) && !path.includes(`${sep}dist${sep}`)
