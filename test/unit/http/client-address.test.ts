import type { IncomingMessage } from 'node:http'
import { expect } from 'chai'
import { clientAddress } from '../../../src/http/client-address.ts'

describe('clientAddress', () => {
  const asked = (forwarded: string | undefined, trustedProxies: number, peer = '10.0.0.1') => {
    const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }
    return clientAddress({ headers, socket: { remoteAddress: peer } } as unknown as IncomingMessage, trustedProxies)
  }

  it('is the one that connects, whatever a header says, while no proxy is trusted', () => {
    expect(asked('203.0.113.7', 0)).to.equal('10.0.0.1')
    expect(asked(undefined, 0, '::ffff:192.0.2.1')).to.equal('192.0.2.1')
  })

  // @guards src/http/client-address.ts:clientAddress
  it('RG-04: is what the outermost of our proxies saw; what the caller wrote before it counts for nothing', () => {
    expect(asked('203.0.113.7', 1)).to.equal('203.0.113.7')
    expect(asked('1.2.3.4, 203.0.113.7', 1)).to.equal('203.0.113.7')
    expect(asked('1.2.3.4, 203.0.113.7, 10.0.0.9', 2)).to.equal('203.0.113.7')
    expect(asked('203.0.113.7:4711', 1)).to.equal('203.0.113.7')
  })

  it('is the one that connects where a proxy was passed by, or wrote something else', () => {
    expect(asked(undefined, 1)).to.equal('10.0.0.1')
    expect(asked('203.0.113.7', 2)).to.equal('10.0.0.1')
    expect(asked('unknown', 1)).to.equal('10.0.0.1')
  })

  it('is one for all of an IPv6 network of 64 bits', () => {
    expect(asked('2001:db8:1:2:3:4:5:6', 1)).to.equal('2001:db8:1:2::/64')
    expect(asked('[2001:db8:1:2::9]:443', 1)).to.equal('2001:db8:1:2::/64')
  })
})
