import { expect, test } from 'vitest'
import { recordObject } from '../../../operator/group-ingress/record.ts'
import { kinds } from '../../../operator/kinds.ts'
import { groupsLeft } from '../../../operator/objects/name-in-group.ts'
import type { Parent } from '../../../operator/objects/parent.ts'
import { services } from '../../../operator/objects/resources.ts'
import { ingress, service, settings, worldOf } from '../a-world.ts'

const hostname = { 'tailscale.com/hostname': 'Shop' }
const objects = {
  'L3 ingress': service('a', {}, { annotations: { ...hostname, 'tailscale.com/expose': 'true' } }),
  'L3 egress': service('a', {}, { annotations: { ...hostname, 'tailscale.com/tailnet-ip': '100.64.0.9' } }),
  'L7 ingress': ingress('a', { tls: [{ hosts: ['shop'] }] }),
}

/** The record of a Tailscale Service that the group `in` has for a parent. */
const record = (host: string, parent: Parent) =>
  recordObject(
    {
      service: `svc:${host}`,
      parent,
      group: 'in',
      former: [],
      leaving: [],
      addresses: [],
      fqdn: undefined,
      refused: undefined,
    },
    settings.namespace,
  )

test.each(Object.entries(objects))('a node of %s waits until a group has given up its name', (_what, object) => {
  const parent = {
    type: object.kind === 'Ingress' ? 'ingress' : 'svc',
    namespace: object.metadata.namespace ?? '',
    name: 'a',
  } as const
  const planned = (host: string) => {
    const world = worldOf(object, record(host, parent))
    return kinds
      .find((kind) => kind.resource.kind === object.kind && kind.claims(object, world, settings))!
      .plan(object, world, settings)
  }
  expect(() => planned('shop')).toThrow(/goes first/)
  expect(planned('other').proxies?.hostnames.map((name) => name.toLowerCase())).toEqual(['shop'])
})

test('the end of what a group has is of concern', () => {
  const object = objects['L3 ingress']
  const parent = { type: 'svc', namespace: object.metadata.namespace ?? '', name: 'a' } as const
  const gone = record('shop', parent)
  expect(groupsLeft(services).keys(gone, worldOf(object))).toEqual([`${object.metadata.namespace}/a`])
})
