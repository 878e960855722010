import { describe, expect, it } from 'vitest'
import { readRequest } from '../../../operator/group-egress/request.ts'
import { service } from '../a-world.ts'

const fqdn = { 'tailscale.com/tailnet-fqdn': 'DB.example.ts.net.' }
const group = { 'tailscale.com/proxy-group': 'eg' }
const spec = { type: 'ExternalName', externalName: 'unused', ports: [{ port: 5432, protocol: 'TCP' }] }

const read = (more: object = {}, annotations: Readonly<Record<string, string>> = fqdn) =>
  readRequest(service('db', { ...spec, ...more }, { annotations: { ...group, ...annotations } }))

describe('a Service of an egress group', () => {
  it('asks for a target, with the ports of the target', () => {
    const ports = [
      { port: 5432, name: 'postgres' },
      { port: 53, name: 'dns', protocol: 'UDP' },
    ]
    expect(read({ ports })).toEqual({
      group: 'eg',
      target: { ip: '', fqdn: 'db.example.ts.net' },
      isRouted: false,
      ports: [
        { port: 5432, name: 'postgres', protocol: 'TCP' },
        { port: 53, name: 'dns', protocol: 'UDP' },
      ],
      allowFrom: undefined,
    })
  })

  it.each([
    ['an address', { 'tailscale.com/tailnet-ip': '100.64.0.9' }, { ip: '100.64.0.9', fqdn: '' }],
    [
      'an address under the old name',
      { 'tailscale.com/ts-tailnet-target-ip': '100.64.0.9' },
      { ip: '100.64.0.9', fqdn: '' },
    ],
    [
      'a name of another domain',
      { 'tailscale.com/tailnet-fqdn': 'db.tailnet.lan' },
      { ip: '', fqdn: 'db.tailnet.lan' },
    ],
  ])('can have as its target %s', (_what, annotations, target) => expect(read({}, annotations).target).toEqual(target))

  it('has a name for a port without one, as Tailscale’s operator has', () => {
    expect(read().ports).toEqual([{ port: 5432, protocol: 'TCP', name: 'tailscale-unnamed' }])
  })

  it('can have a port as TCP and as UDP', () => {
    const both = [
      { port: 53, name: 'a', protocol: 'UDP' },
      { port: 53, name: 'b' },
    ]
    expect(read({ ports: both }).ports).toHaveLength(2)
  })

  it.each([
    ['another type', { type: 'ClusterIP' }, fqdn, /its type is ClusterIP, and a Service of an egress group/],
    ['no type, which is ClusterIP', { type: undefined }, fqdn, /its type is ClusterIP/],
    ['no ports', { ports: [] }, fqdn, /it has no ports/],
    ['a port of SCTP', { ports: [{ port: 1, protocol: 'SCTP' }] }, fqdn, /port 1\/SCTP: only TCP and UDP/],
    ['a port twice', { ports: [{ port: 1 }, { port: 1, protocol: 'TCP' }] }, fqdn, /port 1\/TCP is there twice/],
    [
      'the name of the operator’s port',
      { ports: [{ port: 1, name: 'tailscale-health-check' }] },
      fqdn,
      /has the name "tailscale-health-check"/,
    ],
    ['two targets', {}, { ...fqdn, 'tailscale.com/tailnet-ip': '100.64.0.9' }, /a Service has one target/],
    ['a target that is no name', {}, { 'tailscale.com/tailnet-fqdn': 'db' }, /tailnet-fqdn must be a full name/],
    ['a target that no node can have', {}, { 'tailscale.com/tailnet-ip': '127.0.0.1' }, /loopback/],
    ['tags that are none', {}, { ...fqdn, 'tailscale.com/tags': 'tag:1' }, /tags must be/],
  ])('is refused with %s', (_what, more, annotations, message) => {
    expect(() => read(more, annotations)).toThrow(
      expect.objectContaining({ reason: 'INVALIDSERVICE', message: expect.stringMatching(message) }),
    )
  })
})
