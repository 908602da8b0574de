/** One thing that was looked at. */
export type CheckReport = {
  readonly status: 'ok' | 'failing' | 'unused'
  /** A sentence for an operator; absent when all is well. Names no host and no version. */
  readonly detail?: string
}

/** Whether this process can do its work, and why. It is what `/readyz` answers, word for word. */
export type ReadinessReport = {
  readonly status: 'ready' | 'not_ready'
  readonly checks: {
    /** Fatal: the process is shutting down. */
    readonly process: CheckReport
    /** Fatal: the database is out of reach, or nobody can write. */
    readonly database: CheckReport
    /** Fatal: the database lacks migrations of this version. */
    readonly migrations: CheckReport
    /** Told only: requests are served without the queue. */
    readonly queue: CheckReport
    /** Told only: whether the workers keep up with what is due. */
    readonly refresh: CheckReport
  }
}

/** 200 when ready, else 503, as balancers and Kubernetes understand it. */
export function readinessStatus({ status }: ReadinessReport): 200 | 503 {
  return status === 'ready' ? 200 : 503
}
