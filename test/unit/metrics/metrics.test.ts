import { expect } from 'chai'
import { createMetrics, type Metrics } from '../../../src/metrics/metrics.ts'

describe('createMetrics', () => {
  let metrics: Metrics

  beforeEach(() => {
    metrics = createMetrics()
  })

  /** The samples of one metric, as the text format has them. */
  async function samples(name: string): Promise<string[]> {
    const { text } = await metrics.render()
    return text.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
  }

  it('counts requests by part and class of status', async () => {
    for (const status of [200, 204, 404, 503]) {
      metrics.http.began('api')
      metrics.http.ended('api', status, 12)
    }
    metrics.http.began('mcp')
    metrics.http.ended('mcp', null, 12)
    expect(await samples('patchbay_http_requests_total')).to.have.members([
      'patchbay_http_requests_total{surface="api",status="2xx"} 2',
      'patchbay_http_requests_total{surface="api",status="4xx"} 1',
      'patchbay_http_requests_total{surface="api",status="5xx"} 1',
      'patchbay_http_requests_total{surface="mcp",status="none"} 1',
    ])
    expect(await samples('patchbay_http_requests_open')).to.have.members([
      'patchbay_http_requests_open{surface="api"} 0',
      'patchbay_http_requests_open{surface="mcp"} 0',
    ])
  })

  it('keeps labels bounded, whatever status an upstream makes up', async () => {
    for (let status = 100; status < 1000; status += 1) {
      metrics.http.began('mcp')
      metrics.http.ended('mcp', status, 1)
    }
    expect(await samples('patchbay_http_requests_total')).to.have.lengthOf(6)
  })

  it('does not take the length of a stream for the length of an answer', async () => {
    metrics.http.began('mcp')
    metrics.http.ended('mcp', 200, 3_600_000)
    metrics.http.began('page')
    metrics.http.ended('page', 200, 30)
    expect(await samples('patchbay_http_request_duration_seconds_count')).to.deep.equal([
      'patchbay_http_request_duration_seconds_count{surface="page"} 1',
    ])
  })

  it('knows how many streams are open', async () => {
    metrics.relay.streamOpened()
    metrics.relay.streamOpened()
    metrics.relay.streamClosed()
    expect(await samples('patchbay_relay_streams_open')).to.deep.equal(['patchbay_relay_streams_open 1'])
  })

  it('tells how long calls took, as a histogram by result', async () => {
    for (const ms of [3, 5, 5.001, 400_000]) metrics.relay.relayed('answered', ms)
    metrics.relay.relayed('failed', 20)
    const buckets = await samples('patchbay_relay_seconds_bucket')
    expect(buckets.filter((line) => line.includes('answered'))).to.have.lengthOf(15)
    expect(buckets).to.include.members([
      'patchbay_relay_seconds_bucket{le="0.005",result="answered"} 2',
      'patchbay_relay_seconds_bucket{le="0.01",result="answered"} 3',
      'patchbay_relay_seconds_bucket{le="300",result="answered"} 3',
      'patchbay_relay_seconds_bucket{le="+Inf",result="answered"} 4',
      'patchbay_relay_seconds_bucket{le="0.01",result="failed"} 0',
      'patchbay_relay_seconds_bucket{le="0.025",result="failed"} 1',
    ])
    expect(await samples('patchbay_relay_seconds_count')).to.deep.equal([
      'patchbay_relay_seconds_count{result="answered"} 4',
      'patchbay_relay_seconds_count{result="failed"} 1',
    ])
    expect(await samples('patchbay_relay_seconds_sum')).to.deep.equal([
      `patchbay_relay_seconds_sum{result="answered"} ${0.003 + 0.005 + 5.001 / 1000 + 400}`,
      'patchbay_relay_seconds_sum{result="failed"} 0.02',
    ])
  })

  it('says nothing about a counter of another process', async () => {
    createMetrics().refresh.resultLost()
    expect(await samples('patchbay_refresh_lost_total')).to.deep.equal(['patchbay_refresh_lost_total 0'])
  })

  describe('when a value is known elsewhere', () => {
    it('asks at each scrape', async () => {
      let jobs = 3
      metrics.watch('queueJobs', () => [{ label: 'refresh', value: jobs }])
      expect(await samples('patchbay_queue_jobs')).to.deep.equal(['patchbay_queue_jobs{queue="refresh"} 3'])
      jobs = 5
      expect(await samples('patchbay_queue_jobs')).to.deep.equal(['patchbay_queue_jobs{queue="refresh"} 5'])
    })

    it('leaves out what cannot be read, rather than telling what was', async () => {
      let isReachable = true
      metrics.watch('refreshDueLag', async () => {
        if (!isReachable) throw new Error('no database')
        return [{ value: 7 }]
      })
      expect(await samples('patchbay_refresh_due_lag_seconds')).to.deep.equal(['patchbay_refresh_due_lag_seconds 7'])
      isReachable = false
      expect(await samples('patchbay_refresh_due_lag_seconds')).to.deep.equal([])
    })

    it('does not wait for a value that never comes', async () => {
      metrics.watch('spillPending', () => new Promise(() => undefined))
      expect(await samples('patchbay_refresh_spill_pending')).to.deep.equal([])
    })
  })
})
