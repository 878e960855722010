import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { trusted } from './acme/paths.ts'
import { type Bed, startBed } from './bed.ts'
import type { HostState } from './control-types.ts'
import { signal } from './namespaces/procs.ts'
import { patience } from './patience.ts'
import { printLogsOnFailure } from './vitest.ts'

const tagged = { network: 'wan', tailscaled: { up: ['--advertise-tags=tag:host'] } } as const
const plain = { network: 'wan', tailscaled: true } as const
const hosts = { one: tagged, two: tagged, first: plain, second: plain } as const
type Client = 'first' | 'second'
type ServiceHost = 'one' | 'two'
const otherThan = (host: string): ServiceHost => (host === 'one' ? 'two' : 'one')

const service = 'svc:web'
const fqdn = 'web.lab.ts.net'

let bed: Bed<keyof typeof hosts>
beforeAll(async () => {
  bed = await startBed({ acme: true, hosts })
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

/** Serves a Service that answers with the host's name, and advertises it. */
async function serve(host: ServiceHost, port = '--https=443'): Promise<void> {
  await bed.host(host).exec(['tailscale', 'serve', `--service=${service}`, port, `text:${host}`])
}

/** What a client gets: the name of a host, or the error. */
async function get(client: Client, ...options: string[]): Promise<string> {
  const argv = ['curl', '--silent', '--show-error', '--max-time', `${patience / 1000}`, '--cacert', trusted, ...options]
  const { stdout, stderr } = await bed.host(client).exec([...argv, `https://${fqdn}/`], { check: false })
  return stdout === '' ? stderr : stdout
}

const states = async (): Promise<Record<string, HostState>> =>
  Object.fromEntries((await bed.control.service(service)).hosts.map(({ node, state }) => [node, state]))

/** The host to which a client is routed. */
async function hostOf(client: Client): Promise<ServiceHost | undefined> {
  const found = (await bed.control.service(service)).hosts.find(({ clients }) => clients.includes(client))
  return found?.node as ServiceHost | undefined
}

/** Waits until a client is answered by a host. */
async function reaches(client: Client, host: ServiceHost, ...options: string[]): Promise<void> {
  await expect.poll(() => get(client, ...options), { interval: 20 }).toBe(host)
}

/** Waits until a client, which may still ask another host that does not answer, is answered by this one. */
const moves = (client: Client, host: ServiceHost): Promise<void> => reaches(client, host, '--max-time', '5')

test('a Service that a node serves and advertises is held until it is approved', async () => {
  await bed.control.putService(service, { ports: ['tcp:443'] })
  await serve('one', '--http=80')
  await expect.poll(states).toEqual({ one: 'held' })
  // Once it knows the name.
  await expect.poll(() => get('first', '--max-time', '1')).toMatch('curl: (28)')
  await bed.control.approveHost(service, 'one')
  expect(await states()).toEqual({ one: 'incomplete' })
  await serve('one')
  await expect.poll(states).toEqual({ one: 'serving' })
  await serve('two')
  await expect.poll(states).toEqual({ one: 'serving', two: 'held' })
  await bed.control.putService(service, { autoApprove: true })
  await expect.poll(states).toEqual({ one: 'serving', two: 'serving' })
})

test('each client reaches a host of its own, by name and in both families, with a certificate of the name', async () => {
  const [ofFirst, ofSecond] = [(await hostOf('first'))!, (await hostOf('second'))!]
  expect(new Set([ofFirst, ofSecond])).toEqual(new Set(['one', 'two']))
  // With time for the certificates.
  await Promise.all([reaches('first', ofFirst), reaches('second', ofSecond)])
  const { addresses } = await bed.control.service(service)
  for (const address of addresses) {
    const family = address.includes(':') ? '--ipv6' : '--ipv4'
    expect(await get('first', family, '--write-out', ' %{remote_ip}')).toBe(`${ofFirst} ${address}`)
  }
  // Each host had its own certificate issued.
  expect(await bed.acme.orders(fqdn)).toMatchObject([{ issued: true }, { issued: true }])
})

test('clients move at once when a host stops advertising or is held, and move back', async () => {
  const home = (await hostOf('first'))!
  await bed.host(home).exec(['tailscale', 'serve', 'drain', service])
  await moves('first', otherThan(home))
  expect(await states()).toEqual({ [home]: 'configured', [otherThan(home)]: 'serving' })
  await serve(home)
  await moves('first', home)
  await bed.control.approveHost(service, home, false)
  await moves('first', otherThan(home))
  await bed.control.approveHost(service, home)
  await moves('first', home)
})

test('without HTTPS in the tailnet there are no certificates, and with it there are again', async () => {
  const domains = async () => {
    const { stdout } = await bed.host('one').exec(['tailscale', 'status', '--json', '--peers=false'])
    return (JSON.parse(stdout) as { CertDomains: string[] | null }).CertDomains
  }
  await expect.poll(domains).toEqual(['one.lab.ts.net', fqdn])
  await bed.control.putSettings({ https: false })
  await expect.poll(domains).toBe(null)
  await bed.control.putSettings({ https: true })
  await expect.poll(domains).toEqual(['one.lab.ts.net', fqdn])
})

test('clients move when a host dies, and a Service that is removed is gone', async () => {
  const home = (await hostOf('first'))!
  const other = otherThan(home)
  signal(bed.hostRecord(home).tailscaled!.pid, 'SIGKILL')
  await moves('first', other)
  expect(await states()).toEqual({ [home]: 'offline', [other]: 'serving' })
  await bed.control.removeService(service)
  await expect.poll(() => get('first', '--max-time', '5')).toMatch('curl: (6)')
  const { events } = await bed.control.events()
  const reported = events.filter(({ kind, node }) => kind === 'service-host' && node === home)
  expect(reported.at(-1)?.message).toBe('svc:web is offline')
})
