import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { CulvertError } from '../../../lib/errors.ts'
import { goNeeded, tailscale104 } from '../parts/module.ts'
import { checkTopology } from '../spec.ts'
import { Addresses } from './addresses.ts'
import { routesFor } from './routes.ts'
import { nodesOf } from './spec.ts'
import { kubeconfig, tokenFile, usersOf } from './users.ts'

test('a cluster has as many nodes as were asked for, from none to five', () => {
  expect([{}, { nodes: 0 }, { nodes: 5 }].map(nodesOf)).toEqual([1, 0, 5])
  for (const nodes of [-1, 6, 1.5, Number.NaN]) expect(() => nodesOf({ nodes })).toThrow(CulvertError)
})

test('a host cannot have the name of a node', () => {
  const hosts = { node1: { network: 'cluster' } } as const
  expect(() => checkTopology(hosts, 1)).toThrow('named like a node')
  expect(() => checkTopology(hosts)).not.toThrow()
})

const dual = new Addresses()

test('each Pod is routed through its node, and Services from outside through the first node', () => {
  expect(routesFor(2, undefined, dual)).toEqual({
    v4: [
      'route add 10.88.1.0/24 via 10.98.0.2',
      'route add 10.88.2.0/24 via 10.98.0.3',
      'route add 10.96.0.0/16 via 10.98.0.2',
    ],
    v6: [
      'route add fd88:0:0:1::/64 via fd98::2',
      'route add fd88:0:0:2::/64 via fd98::3',
      'route add fd96::/112 via fd98::2',
    ],
  })
  // A node needs no route for its own Pods, nor for Services.
  expect(routesFor(2, 2, dual)).toEqual({
    v4: ['route add 10.88.1.0/24 via 10.98.0.2'],
    v6: ['route add fd88:0:0:1::/64 via fd98::2'],
  })
  expect(routesFor(0, undefined, dual)).toEqual({ v4: [], v6: [] })
})

test('a cluster can have one family only, and other addresses than that of another bed', () => {
  expect(routesFor(1, undefined, new Addresses({ ipv6: false, isSecond: true }))).toEqual({
    v4: ['route add 10.89.1.0/24 via 10.98.0.2', 'route add 10.97.0.0/16 via 10.98.0.2'],
    v6: [],
  })
  expect(new Addresses({ ipv4: false }).node(1)).toEqual({ v4: undefined, v6: 'fd98::2' })
  expect(() => nodesOf({ ipv4: false, ipv6: false })).toThrow('no addresses')
})

test('each daemon is a user of its own, and a node has the permissions of nodes', () => {
  const users = usersOf(1).map((user, index) => ({ ...user, token: `t${index}` }))
  expect(tokenFile(users)).toBe(`t0,admin,admin,"system:masters"
t1,system:kube-controller-manager,kube-controller-manager,"system:masters"
t2,system:kube-scheduler,kube-scheduler,""
t3,coredns,coredns,"system:masters"
t4,system:node:node1,node1.kubelet,"system:nodes"
t5,system:kube-proxy,node1.kube-proxy,""
`)
  expect(JSON.parse(kubeconfig('https://10.98.0.1:6443', 'PEM', 'admin', 't0'))).toMatchObject({
    clusters: [{ cluster: { server: 'https://10.98.0.1:6443', 'certificate-authority-data': 'UEVN' } }],
    users: [{ user: { token: 't0' } }],
  })
})

test('no part needs a newer Go than is required, except with a toolchain of its own', async () => {
  const folder = join(import.meta.dirname, '../parts/go')
  for (const name of await readdir(folder)) {
    const own = join(folder, name) === tailscale104.directory ? tailscale104.toolchain?.replace('go', '') : undefined
    expect(await readFile(join(folder, name, 'go.mod'), 'utf8'), name).toContain(`\ngo ${own ?? (await goNeeded())}\n`)
  }
})
