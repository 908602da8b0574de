export type AddressForm = {
  readonly title: string
  /** What stands between the slashes of a URL, but for the port. */
  readonly host: string
  /** What the resolver says, where it is a name. */
  readonly addresses?: readonly string[]
  /** Whether it leads to a listener of this machine when nobody objects. Default: yes. */
  readonly isReachable?: boolean
}

const literals: readonly (readonly [title: string, host: string])[] = [
  ['dotted', '127.0.0.1'],
  ['dotted, another', '127.0.0.2'],
  ['with the root dot', '127.0.0.1.'],
  ['decimal', '2130706433'],
  ['octal', '017700000001'],
  ['hexadecimal', '0x7f000002'],
  ['two parts', '127.1'],
  ['three parts', '127.0.2'],
  ['octal parts', '0177.0.0.01'],
  ['hexadecimal parts', '0x7f.0x0.0x0.0x1'],
  ['percent-encoded', '%31%32%37.0.0.1'],
  ['full-width digits', '１２７.0.0.1'],
  ['digits in circles', '①②⑦.0.0.②'],
  ['ideographic full stops', '127。0。0。1'],
  ['this host', '0.0.0.0'],
  ['this host, short', '0'],
  ['IPv6', '[::1]'],
  ['IPv6 in full', '[0000:0000:0000:0000:0000:0000:0000:0001]'],
  ['IPv6, this host', '[::]'],
  ['mapped', '[::ffff:127.0.0.1]'],
  ['mapped, hexadecimal', '[::ffff:7f00:2]'],
  ['mapped, in full', '[0:0:0:0:0:FFFF:7F00:0001]'],
]

const names: readonly (readonly [title: string, host: string, addresses: readonly string[]])[] = [
  ['localhost', 'localhost', ['127.0.0.1']],
  ['localhost in capitals with the root dot', 'LOCALHOST.', ['::1', '127.0.0.1']],
  ['a service of the cluster', 'api.default.svc', ['127.0.0.1']],
  ['a service of the cluster in full', 'db.prod.svc.cluster.local', ['127.0.0.2']],
  ['the metadata service of one cloud', 'metadata.google.internal', ['127.0.0.1']],
  ['the metadata service of another', 'instance-data.ec2.internal', ['127.0.0.1']],
  ['a public name with a private address', 'a.attacker.example', ['127.0.0.1']],
  ['a public name with another', 'b.attacker.example', ['127.0.0.2', '2002:7f00:1::']],
  ['a public name with an IPv6 one', 'c.attacker.example', ['::1', '64:ff9b::7f00:1']],
  ['a public name with a mapped one', 'd.attacker.example', ['::ffff:127.0.0.1']],
  ['a public name for this host', 'e.attacker.example', ['0.0.0.0']],
  ['a public name with good and bad addresses', 'f.attacker.example', ['127.0.0.1', '93.184.215.14']],
  ['an address inside a name', '127.0.0.1.nip.example', ['127.0.0.1']],
  ['an international name', 'böse.example', ['127.0.0.1']],
]

const elsewhere: readonly (readonly [title: string, host: string])[] = [
  ['an IPv4 address inside an IPv6 one (NAT64)', '[64:ff9b::7f00:1]'],
  ['a zone', '[::1%25lo]'],
  ['a user name in front', 'mcp.example@127.0.0.1'],
]

/** The same few listeners of this machine in every guise. */
export const addressForms: readonly AddressForm[] = [
  ...literals.map(([title, host]) => ({ title, host })),
  ...names.map(([title, host, addresses]) => ({ title, host, addresses })),
  ...elsewhere.map(([title, host]) => ({ title, host, isReachable: false })),
]

/** A resolver that knows the names above, and no other. */
export async function resolveForm(hostname: string): Promise<{ address: string; family: number }[]> {
  const asked = hostname.toLowerCase().replace(/\.$/, '')
  const form = addressForms.find(
    ({ host, addresses }) =>
      addresses !== undefined && new URL(`https://${host}`).hostname.replace(/\.$/, '') === asked,
  )
  if (form?.addresses === undefined) throw Object.assign(new Error('unknown name'), { code: 'ENOTFOUND' })
  return form.addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
}
