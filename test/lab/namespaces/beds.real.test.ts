import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { ask, startBed, startEcho, type Bed } from '../bed.ts'
import { printLogsOnFailure } from '../vitest.ts'

const hosts = {
  client: { network: 'wan', tailscaled: true },
  other: { network: 'wan', tailscaled: true },
  pod: { network: 'cluster' },
  backend: { network: 'cluster' },
  four: { network: 'cluster', ipv6: false },
  six: { network: 'cluster', ipv4: false, mtu: 1400 },
} as const

type Name = keyof typeof hosts

let bed: Bed<Name>
let twin: Bed<Name>
beforeAll(async () => {
  // At once, and with the same addresses.
  ;[bed, twin] = await Promise.all([startBed({ hosts }), startBed({ hosts })])
  for (const one of [bed, twin]) {
    await Promise.all(
      (Object.keys(hosts) as Name[]).map((name) => startEcho(one.host(name), { name: `${one.name}/${name}` })),
    )
  }
})
afterAll(async () => {
  await Promise.all([bed.down(), twin.down()])
})
beforeEach(() => {
  printLogsOnFailure(bed)
  printLogsOnFailure(twin)
})

const both = ['v4', 'v6'] as const
const protocols = ['tcp', 'udp'] as const
const ways = both.flatMap((family) => protocols.map((protocol) => ({ family, protocol })))

test.each(ways)('hosts of one network reach each other: $protocol $family', async ({ family, protocol }) => {
  const answer = await ask(bed.host('pod'), { to: bed.host('backend').address[family]!, protocol })
  expect(answer).toMatchObject({ host: `${bed.name}/backend`, peer: bed.host('pod').address[family] })
})

test.each(ways)('the cluster reaches the outside through NAT: $protocol $family', async ({ family, protocol }) => {
  const answer = await ask(bed.host('pod'), { to: bed.host('client').address[family]!, protocol })
  expect(answer).toMatchObject({ host: `${bed.name}/client`, peer: family === 'v4' ? '10.99.0.1' : 'fd99::1' })
})

test.each(ways)('the outside cannot reach the cluster: $protocol $family', async ({ family, protocol }) => {
  const to = bed.host('backend').address[family]!
  // Refused, and not dropped: there is no timeout to wait for.
  await expect(ask(bed.host('client'), { to, protocol })).rejects.toThrow(
    protocol === 'tcp' ? /ECONNREFUSED/ : /EHOSTUNREACH|EACCES/,
  )
})

test.each(ways)(
  'nodes of a tailnet reach each other, within their own bed: $protocol $family',
  async ({ family, protocol }) => {
    for (const one of [bed, twin]) {
      const { addresses } = await one.control.node('other')
      const to = addresses.find((address) => address.includes(':') === (family === 'v6'))!
      expect(await ask(one.host('client'), { to, protocol })).toMatchObject({ host: `${one.name}/other` })
    }
  },
)

test('hosts can lack a family', async () => {
  const { four, six } = { four: bed.host('four'), six: bed.host('six') }
  expect(four.address.v6).toBeUndefined()
  expect(six.address.v4).toBeUndefined()
  expect((await four.exec(['ip', '-6', 'address'])).stdout).toBe('')
  expect((await six.exec(['ip', '-4', '-brief', 'address', 'show', 'eth0'])).stdout).toBe('')
  expect(await ask(four, { to: bed.host('backend').address.v4!, protocol: 'tcp' })).toMatchObject({
    peer: four.address.v4,
  })
  expect(await ask(six, { to: bed.host('backend').address.v6!, protocol: 'tcp' })).toMatchObject({
    peer: six.address.v6,
  })
  expect((await six.exec(['cat', '/sys/class/net/eth0/mtu'])).stdout).toBe('1400')
})

test('a host starts as a Pod does: no forwarding, usable addresses, only its own devices', async () => {
  const pod = bed.host('pod')
  const { stdout } = await pod.exec(['sysctl', '-n', 'net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding'])
  expect(stdout).toBe('0\n0')
  expect((await pod.exec(['ip', '-6', 'address', 'show', 'dev', 'eth0', 'tentative'])).stdout).toBe('')
  expect((await pod.exec(['ls', '/sys/class/net'])).stdout.split('\n')).toEqual(['eth0', 'lo'])
  await pod.exec(['sysctl', '-w', 'net.ipv4.ip_forward=1'])
})

test('a bed can be taken down while a process in it is stopped', async () => {
  const small = await startBed({ hosts: { pod: { network: 'cluster' } } })
  const sleeper = await small.host('pod').spawn(['sleep', '60'])
  sleeper.kill('SIGSTOP')
  // Its helper is stopped along with it, a moment later.
  await expect
    .poll(async () => (await small.host('pod').exec(['ps', '-o', 'stat=', '-C', 'sleep'])).stdout)
    .toMatch(/T/)
  await small.down()
  expect(sleeper.running).toBe(false)
})
