import { beforeAll, describe, expect, test } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }
import { tailscaleVersion } from '../../wire/capability-version.ts'
import { ask, type Bed } from '../lab/bed.ts'
import type { KubeObject } from '../lab/cluster/cluster.ts'
import type { Pod } from '../lab/cluster/pods.ts'
import { withoutNftables } from '../lab/hosts/without-nftables.ts'
import { agentReference } from '../lab/images/image.ts'
import { serviceAddresses, ways } from './cluster.ts'

type Container = { readonly name: string; readonly [field: string]: unknown }

/** A Pod whose containers of the agent's image run once. */
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

/** Tests of the agent's image in Pods, in a bed of examples that is up when they run. */
export function imageInPods(started: () => Bed<'client'>): void {
  let bed: Bed<'client'>
  beforeAll(() => {
    bed = started()
  })

  const exec = (pod: string, command: readonly string[], check: boolean) =>
    bed.cluster.kubectl(['exec', pod, '--namespace=default', '--', ...command], { check })
  const tried = (pod: string, ...command: string[]) => exec(pod, command, false)
  const inside = async (pod: string, ...command: string[]) => (await exec(pod, command, true)).stdout
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

  test('a Pod can run a program, a script, or the agent with arguments', async () => {
    const containers: [object, RegExp][] = [
      [{ args: ['tailscale', 'version'] }, daemon],
      [{ args: ['tailscaled', '--version'] }, daemon],
      [{ command: ['tailscaled'], args: ['--version'] }, daemon],
      [{ args: ['sh', '-c', 'tailscaled --version'] }, daemon],
      [{ command: ['sh', '-c'], args: ['tailscaled --version'] }, daemon],
      [{ command: ['/usr/local/bin/containerboot'], args: ['version'] }, agent],
      [{ args: ['/usr/local/bin/containerboot', 'version'] }, agent],
      [{ args: ['--version'] }, agent],
      // The agent itself, which ends because of an invalid setting.
      [{ env: variables({ TS_USERSPACE: 'true', TS_DEST_IP: '10.0.0.1' }) }, /^boot: .* culvert agent /],
    ]
    await bed.cluster.apply(once('named', ...containers.map(([fields], index) => ({ name: `c${index}`, ...fields }))))
    await ended('named')
    for (const [index, [, output]] of containers.entries()) expect(await logs('named', `c${index}`)).toMatch(output)
  })

  test('the health check checks tailscaled if a script runs it without the agent', async () => {
    const script = `tailscaled --tun=userspace-networking --state=mem: --statedir=/tmp &
      until [ -e /tmp/go ]; do sleep 0.1; done
      tailscale up ${await login()} --hostname=scripted && wait`
    await bed.cluster.apply(once('scripted', { name: 'script', args: ['ash', '-c', script] }))
    const check = () => tried('scripted', '/usr/local/lib/culvert/healthcheck')
    await expect.poll(check).toMatchObject({ stdout: 'Logged out.', exitCode: 1 })
    await tried('scripted', 'touch', '/tmp/go')
    await expect.poll(check).toMatchObject({ stdout: expect.stringContaining('scripted'), exitCode: 0 })
  })

  describe('on a kernel without nf_tables', () => {
    const start = async (name: string, env: Readonly<Record<string, string>>) => {
      const own = { TS_USERSPACE: 'false', TS_KUBE_SECRET: '', TS_HOSTNAME: name, TS_EXTRA_ARGS: await login() }
      const command = withoutNftables('/usr/local/lib/culvert/entrypoint')
      const securityContext = { privileged: true }
      await bed.cluster.apply(once(name, { name, command, securityContext, env: variables({ ...own, ...env }) }))
    }

    test.each(['', 'auto'])('a subnet router works with the legacy iptables, in firewall mode “%s”', async (mode) => {
      const name = `old-router${mode}`
      const { v4, v6 } = await serviceAddresses(bed.cluster, 'backend')
      const routes = [`${v4}/32`, `${v6}/128`]
      await start(name, { TS_ROUTES: routes.join(','), TS_DEBUG_FIREWALL_MODE: mode })
      await expect.poll(() => tried(name, 'culvert', 'ready')).toMatchObject({ exitCode: 0 })
      await bed.control.patchNode(name, { routes })
      for (const { family, protocol } of ways) {
        const to = { v4, v6 }[family]
        const answer = () => ask(bed.host('client'), { to, protocol, patience: 5000 }).catch(String)
        await expect.poll(answer).toMatchObject({ host: 'backend' })
      }
      for (const save of ['iptables-legacy-save', 'ip6tables-legacy-save'])
        expect((await tried(name, save)).stdout).toMatch(/^-A ts-postrouting .*-j MASQUERADE$/m)
      expect((await tried(name, 'nft', 'list', 'chains')).stdout).not.toContain('ts-')
      // Its node, whose state is in memory, is removed with it.
      await bed.cluster.kubectl(['delete', 'pod', name, '--namespace=default'])
    })

    test('L3 ingress works with the legacy iptables, and the log says what is missing', async () => {
      const { v4, v6 } = await serviceAddresses(bed.cluster, 'backend')
      await start('old-ingress', { TS_DEST_IP: `${v4},${v6}` })
      await expect.poll(() => tried('old-ingress', 'culvert', 'ready')).toMatchObject({ exitCode: 0 })
      const { addresses } = await bed.control.node('old-ingress')
      for (const to of addresses) {
        for (const protocol of ['tcp', 'udp'] as const) {
          const answer = () => ask(bed.host('client'), { to, protocol, patience: 5000 }).catch(String)
          await expect.poll(answer).toMatchObject({ host: 'backend' })
        }
      }
      for (const line of [
        /^boot: .*firewall: iptables, since iptables-legacy for IPv4 and ip6tables-legacy for IPv6/m,
        /^boot: .*warning: connections are neither listed nor ended: conntrack/m,
      ])
        await expect.poll(() => logs('old-ingress', 'old-ingress')).toMatch(line)
    })
  })

  /** The states of all processes in a Pod, the first letters of ps. */
  const states = (pod: string) => inside(pod, 'ps', '-eo', 'stat=')

  test.each([
    ['the image’s own command', undefined, false],
    ['Node alone', ['node', '/usr/local/lib/culvert/agent.js'], true],
  ])('an orphan that exits, where the first process is %s', async (_who, command, remains) => {
    const name = remains ? 'node-alone' : 'as-it-is'
    await bed.cluster.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default' },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [
          {
            name: 'tailscale',
            image: agentReference,
            ...(command && { command }),
            env: [{ name: 'TS_KUBE_SECRET', value: '' }],
            startupProbe: { exec: { command: ['culvert', 'live'] }, periodSeconds: 1, timeoutSeconds: 5 },
          },
        ],
      },
    })
    await bed.cluster.wait(`pod/${name}`, 'Ready')
    await inside(name, 'sh', '-c', 'sleep 0.2 > /dev/null 2>&1 &')
    await expect.poll(() => inside(name, 'ps', '-eo', 'args=')).not.toMatch(/^sleep/m)
    await expect.poll(async () => /^Z/m.test(await states(name))).toBe(remains)
  })
}
