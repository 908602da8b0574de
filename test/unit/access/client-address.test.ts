import { expect } from 'chai'
import { addressBlock } from '../../../src/access/address-block.ts'
import { clientAddress } from '../../../src/access/client-address.ts'

describe('clientAddress', () => {
  const from = (proxies: number, headers: readonly string[], remoteAddress: string | undefined = '10.0.0.1') =>
    clientAddress(
      { rawHeaders: headers.flatMap((value) => ['X-Forwarded-For', value]), socket: { remoteAddress } },
      proxies,
    )

  // @guards src/access/client-address.ts:clientAddress
  it('AP-13, RG-04: counts entries from the end, over all headers of that name', () => {
    expect(from(0, ['192.0.2.1'])).to.equal('10.0.0.1')
    expect(from(1, ['203.0.113.9, 192.0.2.1'])).to.equal('192.0.2.1')
    expect(from(2, ['203.0.113.9, 192.0.2.1', '10.0.0.2'])).to.equal('192.0.2.1')
    expect(from(2, ['203.0.113.9', '192.0.2.1, 10.0.0.2'])).to.equal('192.0.2.1')
  })

  it('goes by the socket where fewer proxies were passed, or what they wrote is no address', () => {
    expect(from(1, [])).to.equal('10.0.0.1')
    expect(from(2, ['192.0.2.1'])).to.equal('10.0.0.1')
    for (const odd of ['', 'unknown', '_hidden', '192.0.2.1.evil', '999.1.1.1', '<script>', ','])
      expect(from(1, [odd]), odd).to.equal('10.0.0.1')
    expect(from(0, [], undefined)).to.equal('10.0.0.1')
  })

  it('reads what proxies write: ports, brackets, IPv4 in IPv6', () => {
    expect(from(1, ['192.0.2.1:4711'])).to.equal('192.0.2.1')
    expect(from(1, ['[2001:db8::1]:4711'])).to.equal('2001:db8::1')
    expect(from(1, ['2001:db8::1'])).to.equal('2001:db8::1')
    expect(from(0, [], '::ffff:192.0.2.1')).to.equal('192.0.2.1')
  })
})

describe('addressBlock', () => {
  // @guards src/access/address-block.ts:addressBlock
  it('AP-13: is the /64 of an IPv6 address, however it is written', () => {
    const blocks = ['2001:db8::1', '2001:DB8:0:0:ffff::', '2001:0db8:0000:0000:1:2:3:4'].map(addressBlock)
    expect(new Set(blocks)).to.deep.equal(new Set(['2001:db8:0:0::/64']))
    expect(addressBlock('2001:db8:0:1::1')).not.to.equal(blocks[0])
    for (const itself of ['192.0.2.1', '', 'x']) expect(addressBlock(itself)).to.equal(itself)
  })
})
