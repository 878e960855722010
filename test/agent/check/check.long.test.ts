import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Bed, startBed } from '../../lab/bed.ts'
import { ask, startEcho } from '../../lab/traffic/traffic.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { bundle, defaults, Proxy } from '../proxy.ts'
import { checkOf, isWell, messages, read, startSink, whileDropping, wrong } from './checked.ts'

let bed: Bed<'client' | 'proxy' | 'backend'>
beforeAll(async () => {
  bed = await startBed()
  await startEcho(bed.host('backend'))
  await startSink(bed.host('client'), 5201)
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

it('CULVERT_UDP_GSO=off cures transfers that collapse since packets are lost that are handed over together', async () => {
  const [address = ''] = (await bed.control.node('client')).addresses
  const transferOf = async (udpGso: string) => {
    const env = { TS_DEST_IP: '10.98.0.11', CULVERT_UDP_GSO: udpGso, TS_AUTHKEY: await bed.authKey() }
    await using proxy = await Proxy.ready(bed, env)
    await proxy.until(isWell)
    const checked = await checkOf(proxy, `--transfer=${address.split('/')[0]}:5201`)
    return { found: wrong(checked), ids: [...checked.found.keys()], log: proxy.lines.join('\n') }
  }
  // What tailscaled hands over together is one packet until it leaves the machine, and longer than any MTU.
  await whileDropping([[bed.host('client'), 'prerouting', 'meta l4proto udp meta length > 1500']], async () => {
    expect((await transferOf('auto')).found).toEqual(['offload.collapsed'])
    const cured = await transferOf('off')
    expect(cured.found).toEqual([])
    expect(cured.ids).toContain('offload.transferred')
    expect(cured.log).toContain('tailscaled does without UDP segmentation offload: CULVERT_UDP_GSO is off')
  })
})

it('finds routes of the tailnet that lead there what belongs to the cluster, once the node accepts them', async () => {
  await bed.control.patchNode('client', { routes: ['10.98.0.0/24'] })
  const env = { TS_DEST_IP: '10.98.0.11', TS_AUTHKEY: await bed.authKey() }
  const TS_EXTRA_ARGS = `--login-server=${bed.controlUrl} --accept-routes`
  await using proxy = await Proxy.ready(bed, { ...env, TS_EXTRA_ARGS })
  await expect
    .poll(async () => messages(await checkOf(proxy), 'overlap.routes'))
    .toMatch(/the backend \(10\.98\.0\.11\) by 10\.98\.0\.0\/24 of client\.lab\.ts\.net/)
})

it('finds long packets that are lost on the way, and what that makes of transfers', async () => {
  const env = { TS_DEST_IP: '10.98.0.11,fd98::11', TS_AUTHKEY: await bed.authKey() }
  await using proxy = await Proxy.ready(bed, env)
  await proxy.until(isWell)
  // Only peers with which packets are exchanged are looked at.
  await ask(bed.host('client'), { to: (await proxy.own()).v4, protocol: 'tcp' })
  const [address = ''] = (await bed.control.node('client')).addresses
  const faults = [
    [bed.host('backend'), 'prerouting', 'meta length > 1400'],
    [bed.host('client'), 'prerouting', 'meta l4proto udp meta length > 1300'],
  ] as const
  await whileDropping(faults, async () => {
    const checked = await checkOf(proxy, `--transfer=${address.split('/')[0]}:5201`)
    expect(wrong(checked)).toEqual(['mtu.blackHole', 'mtu.peer', 'offload.collapsed'])
    const hole = messages(checked, 'mtu.blackHole')
    for (const to of ['10.98.0.11', 'fd98::11'])
      expect(hole).toContain(`packets to ${to} are lost if they have more than 1400 `)
    expect(messages(checked, 'mtu.peer')).toMatch(
      /^tailscaled’s packets of 1340 bytes do not reach client\.lab\.ts\.net/,
    )
  })
})

it('ends where servers and programs hang, says which, and leaves no program behind', async () => {
  const host = bed.host('proxy')
  // It takes connections, and never says a word.
  await startSink(bed.host('backend'), 8443)
  const programs = ['nft', 'conntrack', 'perl']
  for (const variant of ['iptables', 'ip6tables'].flatMap((name) => [`${name}-nft`, `${name}-legacy`]))
    programs.push(`${variant}-restore`, `${variant}-save`)
  const account = '/run/secrets/kubernetes.io/serviceaccount'
  const setUp = [
    'mkdir -p /tmp/hangs',
    ...programs.map((name) => `printf '#!/bin/sh\\nexec sleep 86399\\n' > /tmp/hangs/${name}`),
    'chmod +x /tmp/hangs/*',
    'mount -t tmpfs tmpfs /run',
    `mkdir -p ${account}`,
    `printf ts > ${account}/namespace`,
    `printf token > ${account}/token`,
    `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /run/key -out ${account}/ca.crt -subj /CN=x -days 2 2> /dev/null`,
    'echo nameserver 10.98.0.199 > /run/resolv.conf',
    'mount --bind /run/resolv.conf /etc/resolv.conf',
    'export PATH=/tmp/hangs:$PATH',
    'exec "$0" "$@"',
  ]
  const env = {
    ...defaults(bed),
    TS_DEST_IP: '10.98.0.11',
    TS_EXTRA_ARGS: '--login-server=https://10.98.0.11:8443',
    TS_SERVE_CONFIG: '/tmp/serve.json',
    TS_DEBUG_ACME_DIRECTORY_URL: 'https://10.98.0.11:8443/directory',
    TS_KUBE_SECRET: 'state',
    KUBERNETES_SERVICE_HOST: '10.98.0.11',
    KUBERNETES_SERVICE_PORT_HTTPS: '8443',
    TS_KUBERNETES_READ_API_SERVER_ADDRESS_FROM_ENV: 'true',
  }
  const argv = ['unshare', '--mount', 'sh', '-ec', setUp.join('; '), process.execPath, bundle]
  const checked = read(await host.exec([...argv, 'check', '--preflight', '--json'], { env, check: false }))
  expect([checked.code, wrong(checked)]).toEqual([
    1,
    ['firewall.none', 'dns.silent', 'control.unreachable', 'api-server.unreachable', 'acme.unreachable'],
  ])
  expect(messages(checked, 'firewall.none')).toMatch(/nft took longer than 8 s.*iptables-legacy-restore took longer/s)
  for (const id of ['control.unreachable', 'acme.unreachable'])
    expect(messages(checked, id)).toContain('no answer within 10 s')
  await expect.poll(async () => (await host.exec(['ps', '-eo', 'args='])).stdout).not.toContain('sleep 86399')
})

it('tells all else where tailscaled hangs', async () => {
  await using proxy = await Proxy.ready(bed, { TS_DEST_IP: '10.98.0.11', TS_AUTHKEY: await bed.authKey() })
  const { tailscaled } = await proxy.status()
  await proxy.host.exec(['kill', '-STOP', String(tailscaled.pid)])
  await proxy.until(({ notReady }) => notReady.join().includes('tailscaled does not answer'))
  const checked = await checkOf(proxy)
  expect((await proxy.host.exec(['ps', '-eo', 'args='])).stdout).not.toContain('netcheck')
  await proxy.host.exec(['kill', '-CONT', String(tailscaled.pid)])
  expect(wrong(checked)).toEqual(['agent.failing'])
  expect(messages(checked, 'paths')).toMatch(/^not known: /)
  expect(messages(checked, 'mtu')).toBe('packets of up to 1500 bytes reach 10.98.0.11')
})
