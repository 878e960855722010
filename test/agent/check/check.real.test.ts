import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Bed, startBed } from '../../lab/bed.ts'
import { withoutNftables } from '../../lab/hosts/without-nftables.ts'
import { ask, startEcho } from '../../lab/traffic/traffic.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { bundle, defaults, type Environment, Proxy } from '../proxy.ts'
import { type Checked, checkOf, isWell, messages, read, startSink, whileDropping, wrong } from './checked.ts'

// What `culvert check` finds, where this kernel can show it: each fault is brought about for real.
let bed: Bed<'client' | 'proxy' | 'backend'>
beforeAll(async () => {
  bed = await startBed()
  await startEcho(bed.host('backend'))
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

const target = { TS_DEST_IP: '10.98.0.11,fd98::11' }

describe('before the start', () => {
  const check = async (
    env: Environment,
    wrap: readonly string[] = [],
    flags: readonly string[] = [],
  ): Promise<Checked> => {
    const argv = [...wrap, process.execPath, bundle, 'check', '--preflight', '--json', ...flags]
    return read(await bed.host('proxy').exec(argv, { env: { ...defaults(bed), ...env }, check: false }))
  }
  const privately = (script: string): string[] => ['unshare', '--mount', 'sh', '-c', `${script} && exec "$0" "$@"`]

  it('finds nothing where nothing is wrong, and that long packets reach the backends', async () => {
    const checked = await check(target)
    expect(wrong(checked)).toEqual([])
    expect(checked.code).toBe(0)
    expect(messages(checked, 'mtu')).toBe(
      'packets of up to 1500 bytes reach 10.98.0.11\npackets of up to 1500 bytes reach fd98::11',
    )
  })

  it('finds missing rights, a missing device, and forwarding that is off for good', async () => {
    await bed.host('proxy').exec(['sysctl', '-qw', 'net.ipv4.ip_forward=0'])
    const drop = ['setpriv', '--bounding-set', '-net_admin,-mknod', '--inh-caps', '-net_admin,-mknod']
    const mounts =
      'mount -t tmpfs tmpfs /dev/net && mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys'
    const checked = await check(target, [...privately(mounts), ...drop])
    expect(wrong(checked)).toEqual(['rights.netAdmin', 'rights.tun', 'firewall.none', 'forwarding.off'])
    expect(checked.code).toBe(1)
    expect(checked.found.get('rights.tun')?.[0]?.remedy).toContain('hostPath: {path: /dev/net/tun')
  })

  it('finds a kernel without nf_tables', async () => {
    const checked = await check(target, withoutNftables())
    expect(wrong(checked)).toEqual(['firewall.fallback'])
    expect(messages(checked, 'firewall.fallback')).toMatch(/nftables: .*Protocol not supported/)
  })

  it('finds servers that do not answer, and files that cannot be used', async () => {
    const host = bed.host('proxy')
    const files = `mkdir -p /tmp/egress && echo '{"db": 1}' > /tmp/egress/egress-services`
    const resolver = 'echo nameserver 10.98.0.199 > /tmp/resolv.conf && mount --bind /tmp/resolv.conf /etc/resolv.conf'
    await host.exec(['sh', '-c', files])
    const checked = await check(
      {
        KUBERNETES_SERVICE_HOST: '10.98.0.199',
        KUBERNETES_SERVICE_PORT_HTTPS: '443',
        TS_KUBERNETES_READ_API_SERVER_ADDRESS_FROM_ENV: 'true',
        TS_EGRESS_PROXIES_CONFIG_PATH: '/tmp/egress',
        TS_EXTRA_ARGS: '--login-server=http://10.99.0.1:9',
        TS_SERVE_CONFIG: '/tmp/serve.json',
        TS_DEBUG_ACME_DIRECTORY_URL: 'http://10.99.0.1:9/directory',
      },
      privately(resolver),
    )
    expect(wrong(checked)).toEqual([
      'config.rejected',
      'dns.silent',
      'control.unreachable',
      'api-server.rights',
      'acme.unreachable',
    ])
    expect(messages(checked, 'config.rejected')).toMatch(/^egress-services, db/)
    expect(messages(checked, 'api-server.rights')).toContain('service account')
  })

  it('says what is wrong with settings with which no agent starts', async () => {
    const checked = await check({ TS_DEST_IP: '10.0.0' })
    expect([checked.code, wrong(checked)]).toEqual([1, ['config.settings']])
    const withFlags = await check({ TS_TAGS: 'tag:x' }, [], ['--dest-ip=10.0.0'])
    expect(wrong(withFlags)).toEqual(['config.warning', 'config.settings'])
    expect(messages(withFlags, 'config.settings')).toContain('--dest-ip')
  })
})

it('says that no agent answers, and 2 for flags that do not fit', async () => {
  const run = (...args: string[]) =>
    bed.host('proxy').exec([process.execPath, bundle, 'check', ...args], { check: false })
  const absent = await run('--culvert-socket=/nowhere.sock')
  expect([absent.exitCode, absent.stdout.split('\n')[0]]).toEqual([
    1,
    expect.stringMatching(/^error agent\.absent: no agent answers on \/nowhere\.sock: connect ENOENT/),
  ])
  expect(await run('--dest-pi=10.0.0.9')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--dest-ip') })
  expect(await run('--transfer=db')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--transfer takes') })
})

describe('beside the running agent', () => {
  let proxy: Proxy | undefined
  let sink: string
  beforeEach(async () => {
    if (proxy !== undefined) return
    const flags = ['--dest-ip', target.TS_DEST_IP, '--enable-metrics']
    proxy = await Proxy.ready(bed, { TS_AUTHKEY: await bed.authKey() }, { flags })
    await proxy.until(isWell)
    await startSink(bed.host('client'), 5201)
    const [v4 = ''] = (await bed.control.node('client')).addresses
    sink = `${v4.split('/')[0]}:5201`
  })
  afterAll(() => proxy?.process.stop())
  const check = (...args: string[]) => checkOf(proxy!, ...args)

  /** Only peers with which packets are exchanged are looked at. */
  const talk = async () => ask(bed.host('client'), { to: (await proxy!.own()).v4, protocol: 'tcp' })

  it('finds nothing where nothing is wrong, with what the agent was started with, and measures a transfer', async () => {
    await talk()
    // This command itself has nothing of the agent's environment.
    const bare = ['sh', '-c', 'exec env -i PATH="$PATH" "$0" "$@"', process.execPath, bundle]
    const argv = [...bare, 'check', '--json', `--transfer=${sink}`]
    const checked = read(await bed.host('proxy').exec(argv, { check: false }))
    expect(messages(checked, 'rights')).toContain('NET_ADMIN is granted')
    expect(messages(checked, 'control')).toContain(bed.controlUrl)
    expect(wrong(checked)).toEqual([])
    expect(checked.code).toBe(0)
    expect(messages(checked, 'mtu')).toMatch(
      /1500 bytes reach 10\.98\.0\.11[\s\S]*1340 bytes reach client\.lab\.ts\.net, directly/,
    )
    expect(messages(checked, 'offload.transferred')).toMatch(/^\d+ KiB\/s got through to 100\./)
    expect(messages(checked, 'paths')).toMatch(/^UDP gets out; of 1 peers that matter now, 1 are reached directly/)
  })

  it('tells by culvert trace what becomes of a packet, and shows its way through the rules', async () => {
    const { v4, v6 } = await proxy!.own()
    for (const [own, to] of [
      [`${v4}:7000`, '10.98.0.11:7000'],
      [`[${v6}]:7000`, '[fd98::11]:7000'],
    ] as const) {
      const { stdout } = await proxy!.command('trace', 'tcp', own)
      expect(stdout).toBe(
        `A new TCP connection from the tailnet to ${own} is forwarded to ${to}, seen there as the Pod.\n` +
          'The rule that decides is "translate: ingress: own address to backend".',
      )
    }
    const argv = [process.execPath, bundle, 'trace', 'tcp', `[${v6}]:7000`, '--live', '--seconds=600']
    const live = await bed.host('proxy').spawn(argv, { name: 'trace' })
    await live.line(/^Following such packets for 600 s/)
    const another = await bed.host('proxy').spawn([...argv, '--json'], { name: 'another' })
    await another.line(/^Following such packets/)
    await ask(bed.host('client'), { to: v6, protocol: 'tcp' })
    await live.line(
      /^trace id \S+ inet culvert translate rule .*dnat ip6 to .*"ingress: own address to backend" \(verdict accept\)/,
    )
    // Each line is a value.
    for (const pattern of [/^\{.*"rule":"translate: ingress: own address.*\}$/, /^\{"nft":"trace id .*verdict.*\}$/])
      expect(JSON.parse((await another.line(pattern)).input)).toBeInstanceOf(Object)
    for (const one of [live, another]) one.kill('SIGKILL')
    const tables = async () => (await bed.host('proxy').exec(['nft', 'list', 'tables'])).stdout
    await expect.poll(tables).not.toContain('culvert-trace')
    expect(await tables()).toContain('culvert')
  })

  it('finds that UDP does not get out, that all goes through relays, and what has changed in the Pod', async () => {
    await talk()
    const inProxy = (...argv: string[]) => bed.host('proxy').exec(argv)
    const keyExpiry = new Date(Date.now() + 3 * 86_400_000)
    await bed.control.patchNode('proxy', { keyExpiry: keyExpiry.toISOString() })
    await proxy!.until(({ node }) => node.keyExpiry !== null)
    const seconds = Math.floor(keyExpiry.getTime() / 1000)
    expect((await proxy!.command('status')).stdout).toContain(
      `its key expires at ${new Date(seconds * 1000).toISOString()}`,
    )
    const { stdout } = await inProxy('busybox', 'wget', '-q', '-O', '-', 'http://127.0.0.1:9002/metrics')
    expect(stdout.split('\n')).toContain(`culvert_node_key_expiry_timestamp_seconds ${seconds}`)
    await inProxy('ip', 'link', 'add', 'other', 'type', 'veth', 'peer', 'name', 'end')
    await inProxy('ip', 'address', 'add', '100.64.200.2/32', 'dev', 'other')
    for (const end of ['other', 'end']) await inProxy('ip', 'link', 'set', end, 'up')
    await inProxy('sysctl', '-qw', 'net.ipv4.ip_forward=0')
    await whileDropping([[bed.host('proxy'), 'output', 'udp dport != 53']], () =>
      expect
        .poll(async () => wrong(await check()))
        .toEqual(['agent.keyExpires', 'forwarding.lost', 'overlap.range', 'paths.udpBlocked', 'paths.relayed']),
    )
    await bed.control.patchNode('proxy', { expired: false })
    await inProxy('ip', 'link', 'del', 'other')
    await inProxy('sysctl', '-qw', 'net.ipv4.ip_forward=1')
  })
})
