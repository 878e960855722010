import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { nodeAddresses, serviceAddresses, ways } from '../e2e/cluster.ts'
import { imageInPods } from '../e2e/image-in-pods.ts'
import { rolledOut } from '../e2e/rollout.ts'
import { ask, startEcho, type Bed } from '../lab/bed.ts'
import { services } from '../lab/cluster/addresses.ts'
import { toolsImage } from '../lab/cluster/images.ts'
import { projectRoot } from '../lab/paths.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import type { Visit } from '../agent/programs/visit.ts'
import { headlessService, whoAnswers } from './headless.ts'
import { examplesIn, startExamplesBed } from './in-cluster.ts'
import { unprivileged } from './l3-ingress-unprivileged.ts'

const visitProgram = join(projectRoot, 'test/agent/programs/visit.ts')
let bed: Bed<'client'>
let backend: { readonly v4: string; readonly v6: string }
beforeAll(async () => {
  ;({ bed, backend } = await startExamplesBed())
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))
const { apply, inside, quiet, clear } = examplesIn(() => bed)
afterEach(() => clear('tailscale', 'sidecar'))

/** Deletes a Pod of a StatefulSet, and returns once the next one is ready. */
async function replace(name: string): Promise<void> {
  const { cluster } = bed
  const uid = async () => (await cluster.get('pod', name, 'tailscale'))?.metadata['uid']
  const before = await uid()
  await cluster.kubectl(['delete', 'pod', name, '--namespace=tailscale'])
  await expect.poll(async () => (await uid()) ?? before).not.toBe(before)
  await cluster.wait(`pod/${name}`, 'Ready', { namespace: 'tailscale' })
}

/** Polls from the tailnet until a site redirects a request. */
const redirected = (site: Visit) =>
  expect.poll(async () => {
    const { stdout } = await bed.host('client').exec([process.execPath, visitProgram, JSON.stringify(site)])
    return JSON.parse(stdout) as object
  })

/** Polls from the tailnet until there is an answer. */
const answered = (to: string, protocol: 'tcp' | 'udp') =>
  expect.poll(() => ask(bed.host('client'), { to, protocol, patience: 5000 }).catch(String))

/** Sends a request to a proxy's Pod from within the cluster, in each of its families. */
async function toPod(
  name: string,
  port: number,
  host: string,
  protocols: readonly ('tcp' | 'udp')[] = ['tcp', 'udp'],
): Promise<void> {
  const pod = await bed.cluster.get<{ status: { podIPs: { ip: string }[] } }>('pod', name, 'tailscale')
  const client = await bed.cluster.pod('backend')
  expect(pod?.status.podIPs).toHaveLength(2)
  for (const { ip } of pod!.status.podIPs) {
    for (const protocol of protocols) {
      expect(await ask(client, { to: ip, port, protocol })).toMatchObject({ host })
    }
  }
}

test('L3 ingress, with NET_ADMIN and the device instead of privileged, on a read-only root file system', async () => {
  await apply('l3-ingress.yaml', { texts: { '10.96.0.100': `${backend.v4},${backend.v6}` } })
  await rolledOut(bed.cluster, 'l3-ingress')
  const own = await nodeAddresses(bed, 'l3-ingress')
  for (const { family, protocol } of ways) await answered(own[family], protocol).toMatchObject({ host: 'backend' })

  const capabilities = await inside('tailscale', 'l3-ingress-0', 'grep', 'CapBnd', '/proc/1/status')
  expect(BigInt(`0x${capabilities.split(/\s+/)[1]}`)).toBe(1n << 12n)
  await expect(inside('tailscale', 'l3-ingress-0', 'touch', '/etc/file')).rejects.toThrow('Read-only file system')
  expect(await inside('tailscale', 'l3-ingress-0', 'culvert', 'status')).toMatch(/: ready$/m)
  expect(await inside('tailscale', 'l3-ingress-0', 'tailscale', 'status')).toContain('l3-ingress')
  await quiet('tailscale', 'l3-ingress-0')
})

test('one name for sites that are served and ports that are forwarded', async () => {
  const texts = { '10.96.0.100': `${backend.v4},${backend.v6}`, 'tcp/5432,udp/53': 'tcp/5432:7000,udp/53:7000' }
  await apply('one-name.yaml', { texts })
  await rolledOut(bed.cluster, 'one-name')
  const own = await nodeAddresses(bed, 'one-name')
  await redirected({ to: own.v4, port: 80, name: 'one-name.lab.ts.net', path: '/x?y' }).toMatchObject({
    status: 301,
    location: 'https://one-name.lab.ts.net/x?y',
  })
  const from = (family: 'v4' | 'v6', protocol: 'tcp' | 'udp', port: number) =>
    ask(bed.host('client'), { to: own[family], protocol, port })
  for (const family of ['v4', 'v6'] as const) {
    expect(await from(family, 'tcp', 5432)).toMatchObject({ host: 'backend' })
    expect(await from(family, 'udp', 53)).toMatchObject({ host: 'backend' })
    await expect(from(family, 'tcp', 7000)).rejects.toThrow('ECONNREFUSED')
  }
  expect(await inside('tailscale', 'one-name-0', 'culvert', 'status')).toMatch(
    /^ports: tcp\/5432:7000, udp\/53:7000\n[\s\S]*^serving as one-name\.lab\.ts\.net: ports 80, 443$/m,
  )
  await quiet('tailscale', 'one-name-0')
})

test('L7 ingress serves its file, without privileges', async () => {
  await apply('l7-ingress.yaml', { texts: { '10.96.0.100:8080': `${backend.v4}:7000` } })
  await rolledOut(bed.cluster, 'l7-ingress')
  const { v4: to } = await nodeAddresses(bed, 'app')
  await redirected({ to, port: 80, name: 'app.lab.ts.net', path: '/x?y' }).toMatchObject({
    status: 301,
    location: 'https://app.lab.ts.net/x?y',
  })
  expect(await inside('tailscale', 'l7-ingress-0', 'culvert', 'status')).toMatch(
    /serving as app\.lab\.ts\.net: ports 80, 443/,
  )
  const endpoint = async () => {
    const secret = await bed.cluster.get<{ data: Record<string, string> }>('secret', 'l7-ingress-0', 'tailscale')
    return Buffer.from(secret?.data['https_endpoint'] ?? '', 'base64').toString()
  }
  await expect.poll(endpoint).toBe('app.lab.ts.net')
  await quiet('tailscale', 'l7-ingress-0')
})

test('a sidecar without privileges, under Pod Security “restricted”', async () => {
  const web = `${toolsImage}\n      command: [echo-server, web, "7000"]`
  await apply('sidecar.yaml', { texts: { 'example/web:1': web } })
  await bed.cluster.wait('pod/web', 'Ready', { namespace: 'sidecar' })
  const own = await nodeAddresses(bed, 'web')
  for (const { family, protocol } of ways) await answered(own[family], protocol).toMatchObject({ host: 'web' })

  // Outwards, through its proxy.
  await startEcho(bed.host('client'))
  const client = await nodeAddresses(bed, 'client')
  const connect = `require('http').request({ port: 1055, method: 'CONNECT', path: '${client.v4}:7000' })
    .on('connect', (response) => { console.log(response.statusCode); process.exit() }).end()`
  await expect.poll(() => inside('sidecar', 'web', 'node', '--eval', connect)).toBe('200')
  await quiet('sidecar', 'web')
})

test('a subnet router', async () => {
  await apply('subnet-router.yaml', { texts: { '10.96.0.0/16': `${services.v4},${services.v6}` } })
  await rolledOut(bed.cluster, 'subnet-router', 'deployment')
  const routes = [services.v4, services.v6]
  const advertised = async () => (await bed.control.node('subnet-router')).advertisedRoutes
  await expect.poll(advertised).toEqual(expect.arrayContaining(routes))
  await bed.control.patchNode('subnet-router', { routes })
  for (const { family, protocol } of ways) await answered(backend[family], protocol).toMatchObject({ host: 'backend' })
})

test('L3 egress, for all ports of a name in the cluster', async () => {
  await startEcho(bed.host('client'), { ports: [8125] })
  await apply('l3-egress.yaml', { texts: { 'db.example.ts.net': 'client.lab.ts.net' } })
  await rolledOut(bed.cluster, 'l3-egress')
  await toPod('l3-egress-0', 8125, 'client')
  await quiet('tailscale', 'l3-egress-0')
})

test('cluster traffic via ingress, with `tailscale serve` run once', async () => {
  await apply('via-ingress.yaml')
  await rolledOut(bed.cluster, 'via-ingress')
  const serve = ['tailscale', 'serve', '--bg', '--tcp=5432', `tcp://${backend.v4}:7000`]
  await inside('tailscale', 'via-ingress-0', ...serve)
  await toPod('via-ingress-0', 5432, 'backend', ['tcp'])
  // The serve config is kept in the Secret.
  await replace('via-ingress-0')
  await toPod('via-ingress-0', 5432, 'backend', ['tcp'])
  await quiet('tailscale', 'via-ingress-0')
})

test('ProxyGroup egress reaches its targets in the tailnet', async () => {
  await startEcho(bed.host('client'), { ports: [5432] })
  await apply('proxygroup-egress.yaml', {
    authKey: await bed.authKey({ reusable: true }),
    texts: { 'db.example.ts.net': 'client.lab.ts.net' },
  })
  await rolledOut(bed.cluster, 'egress')
  await bed.cluster.wait('pod/backend', 'Ready')
  const pod = await bed.cluster.pod('backend')
  const db = await serviceAddresses(bed.cluster, 'db', 'tailscale')
  for (const family of ['v4', 'v6'] as const) {
    const once = () => ask(pod, { to: db[family], port: 5432, protocol: 'tcp', patience: 5000 }).catch(String)
    // The Service leads to the replicas a moment after they are ready.
    await expect.poll(once).toMatchObject({ host: 'client' })
  }
  // The hook and the stop finish within the grace period, without giving anything up.
  const logs = bed.cluster.kubectl(['logs', 'egress-0', '--namespace=tailscale', '--follow'])
  await replace('egress-0')
  const { stdout: last } = await logs
  expect(last).toMatch(/^boot: .* HTTP server at \S+ closed$/m)
  expect(last.match(/^boot: .*(?:warning|error).*$/gm)).toBeNull()
  await quiet('tailscale', 'egress-0')
})

test('ProxyGroup ingress hosts a Tailscale Service', async () => {
  const vip = { v4: '100.100.100.10', v6: 'fd7a:115c:a1e0::10' }
  await apply('proxygroup-ingress.yaml', {
    authKey: await bed.authKey({ reusable: true }),
    texts: { '10.96.0.100': backend.v4, 'fd00:96::100': backend.v6 },
  })
  await rolledOut(bed.cluster, 'ingress')
  for (const node of ['ingress-0', 'ingress-1']) {
    const capMap = { 'service-host': [{ 'svc:web': Object.values(vip) }] }
    await bed.control.patchNode(node, { capMap, routes: [`${vip.v4}/32`, `${vip.v6}/128`] })
  }
  for (const { family, protocol } of ways) await answered(vip[family], protocol).toMatchObject({ host: 'backend' })
})

describe('L3 ingress without privileges', () => unprivileged(() => ({ bed, backend })))

test('L3 ingress by name: each Pod of a headless Service gets connections', async () => {
  await headlessService(bed.cluster, 'db', ['db-0', 'db-1'])
  const texts = { '10.96.0.100': 'db.default', TS_DEST_IP: 'TS_EXPERIMENTAL_DEST_DNS_NAME' }
  await apply('l3-ingress.yaml', { texts })
  await rolledOut(bed.cluster, 'l3-ingress')
  const answering = async () => whoAnswers(bed.host('client'), await nodeAddresses(bed, 'l3-ingress'))
  await expect.poll(answering).toEqual(['db-0', 'db-1'])
  await bed.cluster.kubectl(['delete', 'pod', 'db-0', '--namespace=default'])
  await expect.poll(answering).toEqual(['db-1'])
})

// In the same cluster, since starting one takes long.
describe('the image in Pods', () => imageInPods(() => bed))
