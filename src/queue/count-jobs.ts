import type { Queue } from 'bullmq'

/** How many jobs of a queue wait or run. */
export async function countJobs(queue: Queue): Promise<number> {
  const counts = await queue.getJobCounts('waiting', 'active', 'prioritized', 'delayed')
  return Object.values(counts).reduce((sum, each) => sum + each, 0)
}
