import { X509Certificate } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { noEntries, printLogsOnFailure } from '../lab/vitest.ts'
import { writeVolume } from '../lib/kubelet-volume.ts'
import { startReplica } from './certificate-replica.ts'
import { Proxy, type Status } from './proxy.ts'
import { SecretBed } from './secret-bed.ts'
import { TlsSecret } from './tls-secret.ts'
import { makePair } from '../certs/make.ts'

const replicas = ['group-0', 'group-1'] as const
type Replica = (typeof replicas)[number]
type Certificate = Status['certificates'][number]

const web = 'web.lab.ts.net'
let bed: Bed<Replica>
let secrets: Record<Replica, SecretBed>
const proxies = new Map<Replica, Proxy>()

beforeAll(async () => {
  const host = { network: 'cluster' } as const
  bed = await startBed({
    acme: { validity: 7 * 86_400 },
    hosts: { 'group-0': host, 'group-1': host },
    cluster: { nodes: 0 },
  })
  await bed.control.putService('svc:web', { ports: ['tcp:443'] })
  const [zero, one] = await Promise.all(replicas.map((name) => SecretBed.make(bed, name, { host: name })))
  secrets = { 'group-0': zero!, 'group-1': one! }
  await serve('web')
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

/** Lets both replicas serve these Tailscale Services. */
async function serve(...services: readonly string[]): Promise<void> {
  const config = {
    Services: Object.fromEntries(
      services.map((name) => [
        `svc:${name}`,
        {
          TCP: { 443: { HTTPS: true } },
          Web: { [`${name}.lab.ts.net:443`]: { Handlers: { '/': { Text: name } } } },
        },
      ]),
    ),
  }
  for (const name of replicas) {
    await writeVolume(bed.host(name).path('/etc/serve'), { 'serve-config.json': JSON.stringify(config) })
  }
}

async function start(name: Replica): Promise<Proxy> {
  const proxy = await startReplica(bed, name, secrets[name])
  proxies.set(name, proxy)
  return proxy
}

/** The first report of a replica on a name's certificate for which `condition` holds. */
async function until(name: Replica, condition: (one: Certificate) => boolean, domain = web): Promise<Certificate> {
  const of = ({ certificates }: Status) => certificates.find((one) => one.domain === domain)
  const status = await proxies.get(name)!.until((now) => {
    const one = of(now)
    return one !== undefined && condition(one)
  })
  return of(status)!
}
const good = ({ expires, problem }: Certificate): boolean => expires !== null && problem === null
const because =
  (reason: string) =>
  (one: Certificate): boolean =>
    one.reason === reason
const orders = async (domain = web): Promise<number> => (await bed.acme.orders(domain)).length

it('one replica issues the certificate once its prerequisites exist, and the other serves it', async () => {
  const secret = new TlsSecret(bed, web)
  await start('group-0')
  await start('group-1')
  await until('group-0', because('not-hosted'))
  await bed.control.approveHost('svc:web', 'group-0')
  expect((await until('group-0', because('secret-forbidden'))).problem).toMatch(/Grant the Pod’s service account get/)
  await secret.grant(replicas)
  expect((await until('group-0', because('secret-missing'))).problem).toMatch(/type kubernetes\.io\/tls and with empty/)
  expect(await orders()).toBe(0)
  await secret.put()
  expect(await until('group-0', good)).toMatchObject({ issuer: true, attempts: 1, failures: noEntries })
  expect(await secret.certificate()).toMatch(/BEGIN CERTIFICATE/)

  await until('group-1', because('not-hosted'))
  await bed.control.approveHost('svc:web', 'group-1')
  expect(await until('group-1', good)).toMatchObject({ issuer: false, attempts: 0, behindSeconds: 0 })
  expect((await until('group-1', good)).servedExpires).toBe((await until('group-0', good)).expires)
  expect(await orders()).toBe(1)
  for (const proxy of proxies.values()) {
    expect((await proxy.status()).checks['certificates']).toMatchObject({ state: 'ok' })
    expect(proxy.process.log.join('\n')).not.toMatch(/PRIVATE KEY/)
  }
  const selector = '--field-selector=reason=CertificateReady,involvedObject.name=group-0'
  const events = () => bed.cluster.kubectl(['get', 'events', '--namespace=ts', '--output=name', selector])
  await expect.poll(async () => (await events()).stdout.trim()).toMatch(/^event\/group-0\./)
})

it('switching HTTPS off and on issues no new certificate', async () => {
  await bed.control.putSettings({ https: false })
  await until('group-0', because('https-off'))
  await until('group-1', because('https-off'))
  await bed.control.putSettings({ https: true })
  await until('group-0', good)
  await until('group-1', good)
  expect(await orders()).toBe(1)
})

it('a deleted Secret is reported, the certificate served from memory, and the Secret filled again once its owner recreates it', async () => {
  const secret = new TlsSecret(bed, web)
  await secret.delete()
  await until('group-0', because('secret-missing'))
  expect((await until('group-1', because('secret-missing'))).servedExpires).not.toBeNull()
  expect(await orders()).toBe(1)
  await secret.put()
  await expect.poll(() => orders()).toBe(2)
  await until('group-0', good)
  // The reader serves its certificate until tailscaled looks again.
  expect((await until('group-1', ({ behindSeconds }) => (behindSeconds ?? 0) >= 1)).problem).toBeNull()
})

it('a foreign certificate in the Secret is reported, and replaced', async () => {
  const secret = new TlsSecret(bed, web)
  const { certificate, key } = await makePair(['other.lab.ts.net'])
  // The issuer would replace it before the reader looks.
  const issuer = proxies.get('group-0')!.process
  issuer.kill('SIGSTOP')
  await secret.put(certificate, key)
  await until('group-1', because('secret-unfit'))
  issuer.kill('SIGCONT')
  await expect.poll(() => orders()).toBe(3)
  await until('group-0', good)
  expect(await secret.certificate()).not.toBe(certificate)
})

it('a renewal by hand is reported by both replicas, and served by a reader once it has restarted', async () => {
  const before = await until('group-0', good)
  const { servedExpires } = await until('group-1', good)
  // Certificates expire at whole seconds: two issued within the same second could not be distinguished.
  await delay(1100)
  const command = ['cert', '--min-validity=240h', '--cert-file=-', web]
  const { stdout } = await bed.host('group-0').exec(['tailscale', '--socket=/tmp/tailscaled.sock', ...command])
  expect(await new TlsSecret(bed, web).certificate()).toBe(`${stdout}\n`)
  expect(await orders()).toBe(4)
  const expires = new X509Certificate(stdout).validToDate.toISOString()
  expect(expires).not.toBe(before.expires)
  const renewed = (one: Certificate): boolean => good(one) && one.expires === expires
  await until('group-0', renewed)
  expect(await until('group-1', renewed)).toMatchObject({ servedExpires })
  await proxies.get('group-1')!.process.stop()
  await start('group-1')
  expect(await until('group-1', renewed)).toMatchObject({ servedExpires: expires, behindSeconds: 0 })
  expect(await orders()).toBe(4)
})

it('an unreachable authority is retried, and a rate limit is kept, also over a restart', async () => {
  for (const name of ['away', 'limited']) {
    const secret = new TlsSecret(bed, `${name}.lab.ts.net`)
    await secret.grant(replicas)
    await secret.put()
    await bed.control.putService(`svc:${name}`, { ports: ['tcp:443'], autoApprove: true })
  }
  await bed.acme.fault({ kind: 'refuse' })
  await serve('web', 'away')
  await until('group-0', because('authority-away'), 'away.lab.ts.net')
  await bed.acme.recover()
  await until('group-0', good, 'away.lab.ts.net')

  await bed.acme.fault({ kind: 'rate-limited', retryAfter: 3600, on: 'newOrder' })
  await serve('web', 'away', 'limited')
  const limited = await until('group-0', because('rate-limit'), 'limited.lab.ts.net')
  expect(Date.parse(limited.nextRequest!) - Date.now()).toBeGreaterThan(3_500_000)
  const remembered = async () => (await secrets['group-0'].texts())?.['culvert-certificates'] ?? ''
  await expect.poll(remembered).toMatch(/"limited\.lab\.ts\.net":\{"failures":1,"reason":"rate-limit","notBefore":/)
  await proxies.get('group-0')!.process.stop()
  await start('group-0')
  const again = await until('group-0', because('rate-limit'), 'limited.lab.ts.net')
  expect(again).toMatchObject({ attempts: 0, nextRequest: limited.nextRequest })
  await bed.acme.recover()
  await serve('web', 'away')
  await proxies.get('group-0')!.until(({ certificates }) => certificates.length === 2)
})

it('the certificate of the node’s own name is requested before anybody connects, if that is wanted, and a refusal is kept', async () => {
  const own = 'own.lab.ts.net'
  await proxies.get('group-1')!.process.stop()
  const state = await SecretBed.make(bed, 'own', { host: 'group-1' })
  const config = {
    TCP: { 443: { HTTPS: true } },
    Web: { '${TS_CERT_DOMAIN}:443': { Handlers: { '/': { Text: 'own' } } } },
  }
  await writeVolume(bed.host('group-1').path('/etc/serve'), { 'serve-config.json': JSON.stringify(config) })
  const env = {
    ...state.env(),
    TS_USERSPACE: 'true',
    CULVERT_TEST_SHORT_WAITS: 'true',
    TS_HOSTNAME: 'own',
    TS_AUTHKEY: await bed.authKey(),
    TS_SERVE_CONFIG: '/etc/serve/serve-config.json',
    CULVERT_REQUEST_CERTIFICATE: 'true',
  }
  const run = async () => proxies.set('group-1', await Proxy.ready(bed, env, { host: 'group-1' }))
  // tailscaled, which requests it too, would hold its lock while it waits for the end of a rate limit.
  await bed.acme.fault({ kind: 'error', status: 403, on: 'newOrder' })
  await run()
  await until('group-1', because('authority-unwell'), own)
  const remembered = async () => (await state.texts())?.['culvert-certificates'] ?? ''
  await expect.poll(remembered).toMatch(/"own\.lab\.ts\.net":\{"failures":\d+,"reason":"authority-unwell","notBefore":/)
  await proxies.get('group-1')!.process.stop()
  await bed.acme.recover()
  await state.edit({ 'culvert-certificates': null })
  await run()
  const { attempts, failures } = await until('group-1', good, own)
  expect({ attempts, failures }).toEqual({ attempts: 1, failures: {} })
  expect((await state.texts())?.[`${own}.crt`]).toMatch(/BEGIN CERTIFICATE/)
  // Two if tailscaled requests it at the same moment: pebble does not antedate certificates, as public authorities do,
  // so that it takes one for not yet valid that was issued while it waited.
  expect(await orders(own)).toBeGreaterThan(0)
})
