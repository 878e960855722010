import * as fc from 'fast-check'

/** Mostly a value of the documented type, otherwise null or anything. */
const loose = (value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 12, arbitrary: value }, { weight: 1, arbitrary: fc.constant(null) }, fc.jsonValue())
const object = (fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<unknown> =>
  fc.record(Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, loose(value)])), {
    requiredKeys: [],
  })

const stateName = fc.constantFrom('NoState', 'NeedsLogin', 'NeedsMachineAuth', 'Stopped', 'Starting', 'Running', 'New')
const id = fc.constantFrom('', 'n1', 'n2')
const name = fc.constantFrom('', 'p.lab.ts.net.', 'q.lab.ts.net.', 'é.')
const address = fc.oneof(
  fc.constantFrom('100.64.0.1', 'fd7a:115c:a1e0::1', '::ffff:100.64.0.3', '100.64.0.256', 'fe80::1%eth0', ''),
  fc.ipV4(),
  fc.ipV6(),
)
const prefix = fc.tuple(address, fc.constantFrom('/32', '/128', '/24', '/0', '', '/')).map((parts) => parts.join(''))
const node = object({
  ID: fc.oneof(fc.constantFrom(0, 7), fc.maxSafeInteger()),
  StableID: id,
  Name: name,
  Addresses: fc.array(prefix, { maxLength: 3 }),
  AllowedIPs: fc.array(prefix, { maxLength: 3 }),
})
const nodes = fc.array(node, { maxLength: 3 })
const records = fc.array(object({ Name: name, Type: fc.constantFrom('', 'A'), Value: address }), { maxLength: 3 })

/** A status as tailscaled sends it, or similar to one. */
const status = object({
  BackendState: stateName,
  AuthURL: fc.constantFrom('', 'https://login.example/a'),
  Self: object({ ID: id, DNSName: name, TailscaleIPs: fc.array(address, { maxLength: 3 }) }),
  Peer: fc.dictionary(
    fc.string(),
    object({ ID: id, NodeID: fc.nat(8), DNSName: name, TailscaleIPs: fc.array(address, { maxLength: 3 }) }),
  ),
  ExtraRecords: records,
})

/** A message of the bus as tailscaled sends it, or similar to one. */
const notification = object({
  State: fc.integer({ min: -1, max: 7 }),
  InitialStatus: status,
  SelfChange: node,
  NetMap: object({ SelfNode: node, Peers: nodes, DNS: object({ ExtraRecords: records }) }),
  PeersChanged: nodes,
  PeersRemoved: fc.array(fc.nat(8), { maxLength: 3 }),
  Prefs: object({ NoSNAT: fc.boolean(), RouteAll: fc.boolean(), Hostname: name }),
  Health: object({
    Warnings: fc.dictionary(
      fc.constantFrom('login-state', 'warming-up', '__proto__', 'constructor', ''),
      object({ Title: name, Text: fc.constantFrom('', 'invalid key', 'dial tcp: refused') }),
    ),
  }),
  BrowseToURL: fc.constantFrom('', 'https://login.example/b'),
  ErrMessage: fc.constantFrom('', 'IPN bus consumer fell behind; closing watch'),
})

const deep = (opening: string): string => opening.repeat(10_000)
const damages: fc.Arbitrary<(text: string) => string> = fc.oneof(
  { weight: 8, arbitrary: fc.constant((text: string) => text) },
  fc.double({ min: 0, max: 1, noNaN: true }).map((part) => (text: string) => text.slice(0, part * text.length)),
  fc.tuple(fc.nat(500), fc.string({ unit: 'binary' })).map(
    ([at, put]) =>
      (text: string) =>
        text.slice(0, at) + put + text.slice(at + put.length),
  ),
  fc
    .constantFrom(
      '"State":6,"State":2',
      '"__proto__":{"State":6}',
      '"constructor":{"prototype":{"State":6}}',
      `"SelfChange":{"ID":9223372036854775807,"StableID":"n3","Name":"r."}`,
      `"PeersChanged":[{"ID":9223372036854775807,"Name":"\\"ID\\":92233720368547758"},`,
      `"Version":"${'x'.repeat(100_000)}"`,
      `"ErrMessage":"${'x'.repeat(300_000)}"`,
      `"NetMap":${deep('[')}`,
      `"Peers":${deep('{"a":')}`,
    )
    .map((field) => (text: string) => text.replace(/^\{/, `{${field},`).replace(/,\}$/, '}')),
)
const texts = (value: fc.Arbitrary<unknown>): fc.Arbitrary<string> =>
  fc.tuple(value, damages).map(([document, damage]) => damage(JSON.stringify(document)))

/** Possible lines of the bus, and answers to `status`. */
export const busLines = texts(loose(notification))
export const statusBodies = texts(loose(status))
