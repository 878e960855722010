import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { ask } from '../lab/bed.ts'
import type { EgressPort } from '../lab/cluster/egress-services.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import { nodeAddresses, ways } from './cluster.ts'
import { echoPort, EgressBed } from './egress-bed.ts'

let egress: EgressBed
beforeAll(async () => {
  egress = await EgressBed.start({ short: true })
  await egress.add({ name: 'db', target: byName('db'), ports: ports(10_000) })
  await egress.ready()
})
afterAll(() => egress.bed.down())
beforeEach(() => printLogsOnFailure(egress.bed))

const byName = (host: string) => ({ fqdn: `${host}.lab.ts.net` })

/** TCP and UDP to the port on which hosts of the tailnet answer, through two ports of the Pods from `first` on. */
const ports = (first: number): EgressPort[] => [
  { port: echoPort, protocol: 'TCP', matchPort: first },
  { port: echoPort, protocol: 'UDP', matchPort: first + 1 },
]

/** Connects through a Service, from each node with each protocol and family, until all get an answer. */
async function reaches(service: string, host: string, some = ways): Promise<void> {
  const to = await egress.addresses(service)
  for (const client of egress.clients) {
    for (const { family, protocol } of some) {
      const once = () => ask(client, { to: to[family], port: echoPort, protocol, patience: 5000 }).catch(String)
      await expect.poll(once).toMatchObject({ host })
    }
  }
}

/** Waits until a connection is refused: changes take effect a moment after they are reported. */
const refuses = (to: string, port: number) =>
  expect.poll(() => ask(egress.clients[0]!, { to, port, protocol: 'tcp' }).catch(String)).toMatch('ECONNREFUSED')

/** The names of the services that each replica lists. */
const listed = async (): Promise<string[][]> =>
  (await egress.statuses()).map(({ services }) => Object.keys(services ?? {}).toSorted())

test('Pods reach a host of the tailnet through a Service, by the target’s address and by its name', async () => {
  await egress.leadsTo('db', 3)
  await reaches('db', 'db')
  const inside = ['exec', 'client-node1', '--', 'sh', '-c', `echo hello | nc -w 3 db.default ${echoPort}`]
  const { host, peer } = JSON.parse((await egress.bed.cluster.kubectl(inside)).stdout) as Record<string, string>
  const nodes = await Promise.all(egress.replicas.map(({ name }) => egress.bed.control.node(name)))
  expect(host).toBe('db')
  // The target sees one of the replicas, not the client.
  expect(nodes.flatMap(({ addresses }) => addresses)).toContain(peer)
})

test('each replica lists what it forwards, byte for byte, with its own addresses', async () => {
  const db = await nodeAddresses(egress.bed, 'db')
  for (const replica of egress.replicas) {
    const [podIPv4, podIPv6] = (await replica.pod())!.status.podIPs!.map(({ ip }) => ip)
    expect((await replica.secret())['egress-services']).toBe(
      JSON.stringify({
        podIPv4,
        podIPv6,
        services: {
          'default-db': {
            ports: [
              { protocol: 'TCP', matchPort: 10_000, targetPort: echoPort },
              { protocol: 'UDP', matchPort: 10_001, targetPort: echoPort },
            ],
            tailnetTargetIPs: [db.v4, db.v6],
            tailnetTarget: { ip: '', fqdn: 'db.lab.ts.net' },
          },
        },
      }),
    )
  }
})

test('an added, changed or removed service is followed, and the others are untouched', async () => {
  const db = await nodeAddresses(egress.bed, 'db')
  await egress.add({ name: 'other', target: { ip: db.v4 }, ports: ports(10_010) })
  await egress.leadsTo('other', 3)
  const { v6 } = await egress.addresses('other')
  await reaches(
    'other',
    'db',
    ways.filter(({ family }) => family === 'v4'),
  )
  await refuses(v6, echoPort)

  await egress.add({ name: 'other', target: byName('db'), ports: ports(10_020) })
  await reaches('other', 'db')
  const [first] = egress.replicas
  const pod = (await first!.pod())!.status.podIPs![0]!.ip
  // Replicas see changes of the ConfigMap at different times.
  const direct = () => ask(egress.clients[0]!, { to: pod, port: 10_020, protocol: 'tcp' })
  await expect.poll(direct).toMatchObject({ host: 'db' })
  await refuses(pod, 10_010)

  await egress.remove('other')
  await expect.poll(listed).toEqual([['default-db'], ['default-db'], ['default-db']])
  await refuses(pod, 10_020)
  await reaches('db', 'db')
})

test('an unusable service is named, and affects no other', async () => {
  await egress.addEntries({
    'default-bad': {
      tailnetTarget: { ip: '', fqdn: 'db.lab.ts.net' },
      ports: [{ protocol: 'TCP', matchPort: 70_000, targetPort: echoPort }],
    },
  })
  await egress.add({ name: 'good', target: byName('db'), ports: ports(10_030) })
  await reaches('good', 'db')
  await reaches('db', 'db')
  const names = ['default-db', 'default-good']
  await expect.poll(listed).toEqual([names, names, names])
  for (const replica of egress.replicas) {
    const { stdout, exitCode } = await replica.exec('culvert', 'ready', '--verbose')
    expect(stdout).toMatch(/^\[!\]services failing .*default-bad: ports\[0\]\.matchPort: .*70000/m)
    expect(exitCode).toBe(0)
  }
  await egress.addEntries({})
  await egress.remove('good')
})

test('a target that joins the tailnet later is reached from then on, until it is removed', async () => {
  await egress.add({ name: 'late', target: byName('late'), ports: ports(10_040) })
  await egress.leadsTo('late', 0)
  const key = await egress.bed.authKey()
  const login = [`--login-server=${egress.bed.controlUrl}`, `--auth-key=${key}`, '--hostname=late']
  await egress.bed.host('late').exec(['tailscale', 'up', ...login])
  await egress.leadsTo('late', 3)
  await reaches('late', 'late')

  await egress.bed.control.removeNode('late')
  await egress.leadsTo('late', 0)
  const { v4 } = await egress.addresses('late')
  await refuses(v4, echoPort)
  await reaches('db', 'db')
  await egress.remove('late')
})
