import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }
import { tailscaleVersion } from '../../wire/capability-version.ts'
import type { Visit } from '../agent/programs/visit.ts'
import { ask, type Bed, startBed } from '../lab/bed.ts'
import type { KubeObject } from '../lab/cluster/cluster.ts'
import { authorityObjects, siteObjects } from '../lab/cluster/ingress.ts'
import type { Pod } from '../lab/cluster/pods.ts'
import { backendObjects, deviceConfig, proxyGround, proxyNamespace, workload } from '../lab/cluster/proxy.ts'
import { cpuOf } from '../lab/ground/cgroups.ts'
import { withoutNftables } from '../lab/hosts/without-nftables.ts'
import { Unpacked } from '../images/unpacked.ts'
import { agentReference, buildImage } from '../lab/images/image.ts'
import { projectRoot } from '../lab/paths.ts'
import { run } from '../lab/run.ts'
import { tellOnFailure } from '../lab/vitest.ts'
import { nodeAddresses, ProxyPod, serviceAddresses, ways } from './cluster.ts'

const visitProgram = join(projectRoot, 'test/agent/programs/visit.ts')

let bed: Bed<'client'>
beforeAll(async () => {
  const [image] = await Promise.all([
    buildImage(),
    startBed({
      acme: true,
      hosts: { client: { network: 'wan', tailscaled: { up: ['--accept-routes'] } } },
      cluster: { nodes: 1 },
    }).then((started) => (bed = started)),
  ])
  const authority = authorityObjects(await bed.acme.trust())
  const objects = [...backendObjects('backend'), ...siteObjects('web'), ...proxyGround(), ...authority.objects]
  await Promise.all([bed.cluster.importImage(image.archive), bed.cluster.apply(...objects)])
})
afterAll(() => bed.down())
beforeEach(() => tellOnFailure(bed))

type Container = { readonly name: string; readonly [field: string]: unknown }

/** Containers of the agent's image that run once. */
const once = (name: string, ...containers: readonly Container[]): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: {
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 5,
    containers: containers.map((container) => ({ image: agentReference, ...container })),
  },
})

const variables = (env: Readonly<Record<string, string>>) =>
  Object.entries(env).map(([name, value]) => ({ name, value }))

const exec = (pod: string, ...command: string[]) =>
  bed.cluster.kubectl(['exec', pod, '--namespace=default', '--', ...command], { check: false })
const logs = async (pod: string, container: string): Promise<string> =>
  (await bed.cluster.kubectl(['logs', pod, `--container=${container}`, '--namespace=default'])).stdout

/** Returns once a Pod's containers have ended. */
const ended = (name: string) =>
  expect
    .poll(async () => (await bed.cluster.get<Pod>('pod', name))?.status.containerStatuses?.map(({ state }) => state))
    .toSatisfy((states: object[] | undefined) => states?.every((state) => 'terminated' in state) ?? false)

const login = async () => `--login-server=${bed.controlUrl} --auth-key=${await bed.authKey()}`

const daemon = new RegExp(`^${tailscaleVersion}`)
const agent = new RegExp(`^${packageJson.version}`)

test('whatever a Pod names runs: a program, a script, or arguments of the agent', async () => {
  const containers: [object, RegExp][] = [
    [{ args: ['tailscale', 'version'] }, daemon],
    [{ args: ['tailscaled', '--version'] }, daemon],
    [{ command: ['tailscaled'], args: ['--version'] }, daemon],
    [{ args: ['sh', '-c', 'tailscaled --version'] }, daemon],
    [{ command: ['sh', '-c'], args: ['tailscaled --version'] }, daemon],
    [{ command: ['/usr/local/bin/containerboot'], args: ['version'] }, agent],
    [{ args: ['/usr/local/bin/containerboot', 'version'] }, agent],
    [{ args: ['--version'] }, agent],
    // The agent itself, which ends by the first setting that cannot be.
    [{ env: variables({ TS_USERSPACE: 'true', TS_DEST_IP: '10.0.0.1' }) }, /^boot: .* culvert agent /],
  ]
  await bed.cluster.apply(once('named', ...containers.map(([fields], index) => ({ name: `c${index}`, ...fields }))))
  await ended('named')
  for (const [index, [, output]] of containers.entries()) expect(await logs('named', `c${index}`)).toMatch(output)
})

test('a script that runs tailscaled itself: the health check is that of tailscaled', async () => {
  const script = `tailscaled --tun=userspace-networking --state=mem: --statedir=/tmp &
    until [ -e /tmp/go ]; do sleep 0.1; done
    tailscale up ${await login()} --hostname=scripted && wait`
  await bed.cluster.apply(once('scripted', { name: 'script', args: ['ash', '-c', script] }))
  const check = () => exec('scripted', '/usr/local/lib/culvert/healthcheck')
  await expect.poll(check).toMatchObject({ stdout: 'Logged out.', exitCode: 1 })
  await exec('scripted', 'touch', '/tmp/go')
  await expect.poll(check).toMatchObject({ stdout: expect.stringContaining('scripted'), exitCode: 0 })
})

describe('on a kernel without nf_tables', () => {
  const start = async (name: string, env: Readonly<Record<string, string>>) => {
    const own = { TS_USERSPACE: 'false', TS_KUBE_SECRET: '', TS_HOSTNAME: name, TS_EXTRA_ARGS: await login() }
    const command = withoutNftables('/usr/local/lib/culvert/entrypoint')
    const securityContext = { privileged: true }
    await bed.cluster.apply(once(name, { name, command, securityContext, env: variables({ ...own, ...env }) }))
  }

  test.each(['', 'auto'])('a subnet router works by the legacy iptables, in firewall mode “%s”', async (mode) => {
    const name = `old-router${mode}`
    const { v4, v6 } = await serviceAddresses(bed.cluster, 'backend')
    const routes = [`${v4}/32`, `${v6}/128`]
    await start(name, { TS_ROUTES: routes.join(','), TS_DEBUG_FIREWALL_MODE: mode })
    await expect.poll(() => exec(name, 'culvert', 'ready')).toMatchObject({ exitCode: 0 })
    await bed.control.patchNode(name, { routes })
    for (const { family, protocol } of ways) {
      const to = { v4, v6 }[family]
      const answer = () => ask(bed.host('client'), { to, protocol, patience: 5000 }).catch(String)
      await expect.poll(answer).toMatchObject({ host: 'backend' })
    }
    for (const save of ['iptables-legacy-save', 'ip6tables-legacy-save'])
      expect((await exec(name, save)).stdout).toMatch(/^-A ts-postrouting .*-j MASQUERADE$/m)
    expect((await exec(name, 'nft', 'list', 'chains')).stdout).not.toContain('ts-')
    // Its node, whose state was in memory, goes with it.
    await bed.cluster.kubectl(['delete', 'pod', name, '--namespace=default'])
  })

  test('L3 ingress works by the legacy iptables, and says what it cannot do', async () => {
    const { v4, v6 } = await serviceAddresses(bed.cluster, 'backend')
    await start('old-ingress', { TS_DEST_IP: `${v4},${v6}` })
    await expect.poll(() => exec('old-ingress', 'culvert', 'ready')).toMatchObject({ exitCode: 0 })
    const { addresses } = await bed.control.node('old-ingress')
    for (const to of addresses) {
      for (const protocol of ['tcp', 'udp'] as const) {
        const answer = () => ask(bed.host('client'), { to, protocol, patience: 5000 }).catch(String)
        await expect.poll(answer).toMatchObject({ host: 'backend' })
      }
    }
    const log = await logs('old-ingress', 'old-ingress')
    expect(log).toMatch(/^boot: .*firewall: iptables, since iptables-legacy for IPv4 and ip6tables-legacy for IPv6/m)
    expect(log).toMatch(/^boot: .*warning: connections are neither listed nor ended: conntrack/m)
  })
})

/**
 * The programs of the image in a directory of the disk, of which nothing is in the kernel's cache. A bed's node has its
 * images in memory, where they count for no Pod; what is read from the disk counts for the Pod that reads it first.
 */
async function programsOnDisk(parts: AsyncDisposableStack): Promise<string> {
  await using image = await Unpacked.of(agentReference)
  const directory = await mkdtemp('/var/tmp/culvert-programs-')
  parts.defer(() => rm(directory, { recursive: true }))
  await run(['cp', '--archive', `${image.root}/usr/local/.`, directory])
  for (const file of ['bin/node', 'bin/tailscaled', 'bin/tailscale', 'lib/culvert/agent.js'])
    await run(['dd', `of=${join(directory, file)}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'])
  return directory
}

/** As an operator makes the proxy of an Ingress, with the programs of a directory. */
async function siteProxy(name: string, programs: string, container: object): Promise<KubeObject[]> {
  const secret = `${name}-0`
  const authority = authorityObjects(await bed.acme.trust())
  const { v4 } = await serviceAddresses(bed.cluster, 'web')
  const serve = {
    TCP: { 443: { HTTPS: true } },
    Web: { '${TS_CERT_DOMAIN}:443': { Handlers: { '/': { Proxy: `http://${v4}/` } } } },
  }
  const stringData = {
    'cap-107.hujson': deviceConfig(secret, await bed.authKey()),
    'serve-config': JSON.stringify(serve),
  }
  const readinessProbe = { exec: { command: ['culvert', 'ready'] }, periodSeconds: 1, timeoutSeconds: 5 }
  return [
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: secret, namespace: proxyNamespace }, stringData },
    workload({
      name,
      image: agentReference,
      app: 'k8s-operator-ingress-resource',
      account: 'proxies',
      configs: [secret],
      podIPs: false,
      env: { TS_USERSPACE: 'true', TS_SERVE_CONFIG: '/etc/tailscaled/serve-config', ...authority.env },
      mounts: [
        { volume: { name: 'serve-config', secret: { secretName: secret } }, mountPath: '/etc/tailscaled' },
        { volume: { name: 'programs', hostPath: { path: programs } }, mountPath: '/usr/local' },
        ...authority.mounts,
      ],
      container: { securityContext: {}, readinessProbe, ...container },
      pod: { initContainers: [] },
    }),
  ]
}

test('a limit of 128 MiB is enough for a site in a tailnet of a hundred peers', async () => {
  for (let count = 0; count < 100; count += 1) await bed.control.createNode('peer')
  await using parts = new AsyncDisposableStack()
  const start = async (name: string, container: object): Promise<ProxyPod> => {
    await bed.cluster.apply(...(await siteProxy(name, await programsOnDisk(parts), container)))
    return new ProxyPod(bed.cluster, `${name}-0`)
  }
  const [free, limited] = [
    await start('free', {}),
    await start('limited', { resources: { limits: { memory: '128Mi' } } }),
  ]
  /** Milliseconds of CPU until it is ready. */
  const untilReady = async (proxy: ProxyPod): Promise<number> => {
    await proxy.ready()
    return await cpuOf(bed.name, bed.cluster.node().name, `pod${(await proxy.pod())!.metadata.uid}`)
  }
  const [freely, within] = await Promise.all([untilReady(free), untilReady(limited)])
  // Who has to look for memory, or to read anew what it had to give back, takes more.
  expect(within).toBeLessThan(2 * freely)
  /** What a file of the Pod's control group says, of whichever version that is. */
  const says = async (proxy: ProxyPod, ...files: readonly string[]): Promise<string> =>
    (await proxy.exec('sh', '-c', `cd /sys/fs/cgroup && cat ${files.join(' ')} 2> /dev/null`)).stdout
  // It is a limit: without one it takes more, most of it programs that the kernel can read again.
  const most = Number(await says(free, 'memory/memory.max_usage_in_bytes', 'memory.peak'))
  expect(most).toBeGreaterThan(128 * 1024 * 1024)

  const name = 'limited-0.lab.ts.net'
  const visit: Visit = { to: (await nodeAddresses(bed, 'limited-0')).v4, port: 443, name, tls: true }
  const options = { env: { NODE_EXTRA_CA_CERTS: '/etc/lab-ca.pem' }, check: false }
  const visited = () => bed.host('client').exec([process.execPath, visitProgram, JSON.stringify(visit)], options)
  await expect.poll(visited).toMatchObject({ stdout: expect.stringContaining('"status":200') })
  expect((await limited.exec('tailscale', 'status')).stdout.match(/ peer(-\d+)? /g)).toHaveLength(100)
  expect(await says(limited, 'memory/memory.oom_control', 'memory.events')).toMatch(/^oom_kill 0$/m)
  expect(await limited.restarts()).toBe(0)
})
