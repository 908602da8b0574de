import { expect } from 'chai'
import { type AddressPolicyOptions, createAddressPolicy } from '../../../src/egress/address-policy.ts'
import { isAppError } from '../../../src/kernel/app-error.ts'

/** The reason for which a URL is refused, or null. */
function refusal(options: Partial<AddressPolicyOptions>, url: string): unknown {
  const policy = createAddressPolicy({ allow: [], allowLoopback: false, ports: [443, 8443], ...options })
  try {
    policy.checkUrl(new URL(url))
    return null
  } catch (error) {
    if (!isAppError(error, 'url_not_allowed')) throw error
    return error.meta.reason
  }
}

function isAllowed(options: Partial<AddressPolicyOptions>, address: string, hostname = 'name.example'): boolean {
  const policy = createAddressPolicy({ allow: [], allowLoopback: false, ports: [443, 8443], ...options })
  return policy.isAddressAllowed(address, { hostname, port: 443 })
}

describe('createAddressPolicy', () => {
  describe('checkUrl', () => {
    it('passes public https, on the permitted ports', () => {
      for (const url of ['https://mcp.example.com/', 'https://mcp.example.com:8443/x?y', 'https://1.1.1.1/']) {
        expect(refusal({}, url), url).to.equal(null)
      }
      expect(refusal({}, 'https://[2606:4700::1]/')).to.equal(null)
    })

    // @guards src/egress/address-policy.ts:judge
    it('SS-02: refuses every scheme but https', () => {
      for (const url of [
        'http://mcp.example.com/',
        'ftp://mcp.example.com/',
        'gopher://a.example/',
        'ws://a.example/',
      ]) {
        expect(refusal({}, url), url).to.equal('scheme')
      }
      for (const url of ['file:///etc/passwd', 'javascript:alert(1)', 'data:text/plain,x', 'unix:/run/x.sock']) {
        expect(refusal({ allowLoopback: true }, url), url).to.equal('scheme')
      }
    })

    it('SS-02: permits plain http to listed destinations only', () => {
      const options = { allow: ['mcp.internal:8080', '10.1.0.0/16:80'] }
      expect(refusal(options, 'http://mcp.internal:8080/')).to.equal(null)
      expect(refusal(options, 'http://10.1.2.3/')).to.equal(null)
      expect(refusal(options, 'http://mcp.internal/')).to.equal('scheme')
      expect(refusal(options, 'http://mcp.internal:8081/')).to.equal('scheme')
      expect(refusal(options, 'http://other.internal:8080/')).to.equal('scheme')
    })

    // @guards src/egress/address-policy.ts:judge
    it('SS-12: refuses ports that are neither permitted nor listed', () => {
      for (const port of [22, 25, 80, 5432, 6379, 8080]) {
        expect(refusal({}, `https://mcp.example.com:${port}/`)).to.equal('port')
      }
      expect(refusal({ allow: ['mcp.example.com:6379'] }, 'https://mcp.example.com:6379/')).to.equal(null)
      expect(refusal({ allow: ['mcp.example.com'] }, 'https://mcp.example.com:6379/')).to.equal('port')
    })

    // @guards src/egress/address-policy.ts:judge
    it('SS-03: refuses a user name or password', () => {
      expect(refusal({}, 'https://ok.example@evil.example/')).to.equal('userinfo')
      expect(refusal({}, 'https://:pw@evil.example/')).to.equal('userinfo')
    })

    // @guards src/egress/address-ranges.ts:isPublicAddress
    it('SS-04: refuses private literals in any notation', () => {
      const hosts = [
        ...['127.0.0.1', '127.1', '0x7f.1', '2130706433', '0177.0.0.1', '①27.0.0.1', '0', '10.0.0.1', '192.168.1.1'],
        ...['172.31.255.255', '169.254.169.254', '[::1]', '[::]', '[::ffff:10.0.0.1]', '[fd00::1]', '[fe80::1]'],
        ...['[::127.0.0.1]', '[64:ff9b::7f00:1]', '[2002:7f00:1::]', 'localhost', 'LOCALHOST.'],
      ]
      for (const host of hosts) expect(refusal({}, `https://${host}/`), host).to.equal('private_address')
    })

    // @guards src/egress/address-policy.ts:internalNames
    it('SS-06: refuses names of clusters and of instance metadata', () => {
      const hosts = [
        ...['metadata.google.internal', 'METADATA.google.internal.', 'metadata', 'metadata.goog', 'instance-data'],
        ...['api.default.svc', 'api.default.svc.cluster.local', 'kubernetes.default.svc.', 'x.cluster.local'],
      ]
      for (const host of hosts) expect(refusal({}, `https://${host}/`), host).to.equal('internal_name')
      expect(refusal({ allow: ['api.tools.svc:8080'] }, 'http://api.tools.svc:8080/')).to.equal(null)
      expect(refusal({}, 'https://svc.example.com/'), 'a public name that only begins so').to.equal(null)
    })

    // @guards src/egress/address-policy.ts:toDestination
    it('SS-06: refuses our own parts, also where loopback is permitted', () => {
      const options = {
        allowLoopback: true,
        ownOrigins: [
          'http://localhost:8333',
          'postgresql://u:p@127.0.0.1:5499/db',
          'redis://cache',
          'https://pb.example',
        ],
      }
      for (const host of ['localhost', '127.0.0.1', '[::1]', '127.9.9.9', 'LocalHost.', '[::ffff:127.0.0.1]']) {
        expect(refusal(options, `http://${host}:8333/connectors/x/mcp`), host).to.equal('own_address')
        expect(refusal(options, `http://${host}:5499/`), host).to.equal('own_address')
      }
      expect(refusal(options, 'https://pb.example/connectors/x/mcp')).to.equal('own_address')
      expect(refusal({ ...options, ports: [6379] }, 'https://cache:6379/')).to.equal('own_address')
      expect(refusal(options, 'http://localhost:8334/mcp'), 'a neighbour').to.equal(null)
      expect(refusal({ ...options, allow: ['localhost:8333'] }, 'http://localhost:8333/'), 'listed').to.equal(null)
    })

    it('permits loopback on any port, over http too, where that is wanted', () => {
      for (const host of ['localhost', '127.0.0.1', '127.8.8.8', '[::1]']) {
        expect(refusal({ allowLoopback: true }, `http://${host}:1234/`), host).to.equal(null)
        expect(refusal({}, `http://${host}:1234/`), host).to.equal('private_address')
      }
      expect(refusal({ allowLoopback: true }, 'http://10.0.0.1/')).to.equal('private_address')
      expect(refusal({ allowLoopback: true }, 'http://0.0.0.0:1234/')).to.equal('private_address')
      expect(refusal({ allowLoopback: true }, 'http://mcp.example.com/')).to.equal('scheme')
    })

    it('SS-10: says what is wrong in words of its own, without the address', () => {
      const policy = createAddressPolicy({ allow: [], allowLoopback: false, ports: [443] })
      expect(() => policy.checkUrl(new URL('https://10.0.0.7/')))
        .to.throw()
        .with.property('publicDetail')
        .not.contain('10.')
    })
  })

  describe('isAddressAllowed', () => {
    // @guards src/egress/address-ranges.ts:isPublicAddress
    it('SS-06: refuses the special-purpose registries, from their first address to their last', () => {
      const addresses = [
        ...['0.0.0.0', '0.255.255.255', '10.0.0.0', '10.255.255.255', '100.64.0.0', '100.127.255.255', '127.0.0.1'],
        ...['169.254.0.0', '169.254.255.255', '172.16.0.0', '172.31.255.255', '192.0.0.0', '192.0.2.1', '192.88.99.1'],
        ...['192.168.0.0', '192.168.255.255', '198.18.0.0', '198.19.255.255', '198.51.100.1', '203.0.113.1'],
        ...['224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255', '::', '::1', '::ffff:10.0.0.1'],
        ...[
          '::ffff:7f00:1',
          '64:ff9b::808:808',
          '64:ff9b:1::1',
          '100::1',
          '2001::1',
          '2001:1ff:ffff::1',
          '2001:db8::1',
        ],
        ...['2002:808:808::1', 'fc00::1', 'fdff::1', 'fe80::1', 'febf::1', 'fec0::1', 'ff02::1', '3fff::1', '5f00::1'],
        ...['::7f00:1', '::127.0.0.1', '::ffff:0:7f00:1', '4000::1', 'not an address', '', 'fe80::1%eth0', '127.1'],
      ]
      for (const address of addresses) expect(isAllowed({}, address), address).to.equal(false)
    })

    it('permits what lies just outside of them', () => {
      const addresses = [
        ...['1.0.0.0', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '126.255.255.255', '128.0.0.0'],
        ...[
          '172.15.255.255',
          '172.32.0.0',
          '192.167.255.255',
          '192.169.0.0',
          '198.17.255.255',
          '198.20.0.0',
          '223.255.255.255',
        ],
        ...['::ffff:8.8.8.8', '2001:4860:4860::8888', '2606:4700::1111', '2003::1'],
      ]
      for (const address of addresses) expect(isAllowed({}, address), address).to.equal(true)
    })

    it('permits listed networks and whatever a listed name resolves to', () => {
      expect(isAllowed({ allow: ['10.0.0.0/8'] }, '10.9.9.9')).to.equal(true)
      expect(isAllowed({ allow: ['10.0.0.0/8'] }, '::ffff:10.9.9.9')).to.equal(true)
      expect(isAllowed({ allow: ['10.0.0.0/8'] }, '11.0.0.1')).to.equal(true)
      expect(isAllowed({ allow: ['10.0.0.0/8'] }, '172.16.0.1')).to.equal(false)
      expect(isAllowed({ allow: ['10.0.0.0/8:8080'] }, '10.9.9.9'), 'another port').to.equal(false)
      expect(isAllowed({ allow: ['fd00::/8'] }, 'fd00::1')).to.equal(true)
      expect(isAllowed({ allow: ['[fd00::/8]:443'] }, 'fd00::1')).to.equal(true)
      expect(isAllowed({ allow: ['mcp.internal:443'] }, '192.168.0.1', 'MCP.internal.')).to.equal(true)
      expect(isAllowed({ allow: ['mcp.internal:443'] }, '192.168.0.1', 'x.mcp.internal')).to.equal(false)
    })

    // @guards src/egress/address-policy.ts:isAddressAllowed
    it('SS-05: permits loopback to localhost only, never to another name that points there', () => {
      expect(isAllowed({ allowLoopback: true }, '127.0.0.1', 'localhost')).to.equal(true)
      expect(isAllowed({ allowLoopback: true }, '::1', '::1')).to.equal(true)
      expect(isAllowed({ allowLoopback: true }, '127.0.0.1', 'rebind.example')).to.equal(false)
      expect(isAllowed({ allowLoopback: true, ownOrigins: ['https://127.0.0.1'] }, '::1', 'localhost')).to.equal(false)
    })
  })

  it('reads entries in every form, and names one that it cannot read', () => {
    const readable = [
      'a.example',
      'a.example:80',
      '10.0.0.1',
      '10.0.0.0/8',
      '10.0.0.0/8:80',
      '::1',
      '[::1]',
      '[::1]:80',
    ]
    expect(() => createAddressPolicy({ allow: readable, allowLoopback: false, ports: [443] })).not.to.throw()
    expect(refusal({ allow: ['[::1]:80'] }, 'http://[::1]/')).to.equal(null)
    expect(refusal({ allow: ['0x7f.1:80'] }, 'http://127.0.0.1/')).to.equal(null)
    for (const entry of [
      '',
      '*.example',
      'http://a.example',
      'a.example:0',
      'a.example:x',
      '10.0.0.0/33',
      'a b',
      'u@h',
    ]) {
      expect(() => createAddressPolicy({ allow: [entry], allowLoopback: false, ports: [443] }), entry).to.throw(
        RangeError,
        'EGRESS_ALLOW',
      )
    }
  })
})
