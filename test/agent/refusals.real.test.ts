import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { type Environment, nothingLeft, Proxy } from './proxy.ts'

// What can never work ends the agent with 1, before anything is started, and the reason is where kubelet reads it.
let bed: Bed
beforeAll(async () => {
  bed = await startBed({ hosts: { proxy: { network: 'cluster' } } })
})
afterAll(async () => bed.down())

async function refused(env: Environment, wrap: readonly string[] = []): Promise<string> {
  const proxy = await Proxy.start(bed, env, { wrap })
  const { code, reason, log } = await proxy.ended()
  expect(code).toBe(1)
  expect(reason).not.toBe('')
  expect(log).toContain(reason)
  await nothingLeft(proxy.host)
  // The log has no line of tailscaled: it was never started.
  expect(log.split('\n').filter((line) => !line.startsWith('boot: '))).toEqual([])
  return reason
}

describe('settings', () => {
  it.each<[Environment, RegExp]>([
    [{ TS_DEST_IP: '10.0.0' }, /TS_DEST_IP="10\.0\.0" .* accepted/],
    [{ TS_EXPERIMENTAL_DEST_DNS_NAME: 'a..b' }, /TS_EXPERIMENTAL_DEST_DNS_NAME="a\.\.b" .* accepted/],
    [{ TS_BOOT_TIMEOUT: '5' }, /TS_BOOT_TIMEOUT="5" .* accepted/],
    [
      { TS_USERSPACE: 'true', TS_DEST_IP: '10.0.0.1' },
      /TS_DEST_IP=10\.0\.0\.1 .*TS_USERSPACE=true.*TS_USERSPACE=false/,
    ],
  ])('%j', async (env, message) => {
    expect(await refused(env)).toMatch(message)
  })
})

describe('permissions', () => {
  const target = { TS_DEST_IP: '10.98.0.11,fd98::11' }
  const privately = (script: string): string[] => ['unshare', '--mount', 'sh', '-c', `${script} && exec "$0" "$@"`]

  it('no NET_ADMIN', async () => {
    const reason = await refused(target, ['setpriv', '--bounding-set', '-net_admin', '--inh-caps', '-net_admin'])
    expect(reason).toMatch(/NET_ADMIN is missing.*securityContext\.capabilities\.add/)
  })

  it('no /dev/net/tun and no permission to create it', async () => {
    const wrap = [
      ...privately('mount -t tmpfs tmpfs /dev/net'),
      'setpriv',
      '--bounding-set',
      '-mknod',
      '--inh-caps',
      '-mknod',
    ]
    for (const env of [target, { TS_ROUTES: '10.99.0.0/24' }]) {
      expect(await refused(env, wrap)).toMatch(
        /\/dev\/net\/tun is absent and cannot be made: .*hostPath: {path: \/dev\/net\/tun, type: CharDevice}} to spec\.volumes .*mountPath: \/dev\/net\/tun} to volumeMounts/,
      )
    }
  })

  it('a /dev/net/tun that was made and may not be used', async () => {
    const wrap = privately('mount -t tmpfs -o nodev tmpfs /dev/net')
    expect(await refused({ TS_ROUTES: '10.99.0.0/24' }, wrap)).toMatch(
      /\/dev\/net\/tun was made but cannot be opened: EACCES.*spec\.volumes.*volumeMounts/,
    )
  })

  it('creates /dev/net/tun if it has the capability', async () => {
    const key = await bed.authKey()
    const wrap = privately('mount -t tmpfs tmpfs /dev/net')
    const env = { TS_ROUTES: '10.98.0.0/24', TS_HOSTNAME: 'router', TS_AUTHKEY: key }
    await using proxy = await Proxy.start(bed, env, { wrap })
    await proxy.process.line(/Startup complete/)
    await expect.poll(() => bed.control.node('router')).toMatchObject({ advertisedRoutes: ['10.98.0.0/24'] })
  })

  it.each([
    ['IPv4', '10.98.0.11', 'net.ipv4.ip_forward'],
    ['IPv6', 'fd98::11', 'net.ipv6.conf.all.forwarding'],
  ])('%s forwarding off and not writable', async (family, address, setting) => {
    await bed.host('proxy').exec(['sysctl', '-qw', 'net.ipv4.ip_forward=0', 'net.ipv6.conf.all.forwarding=0'])
    const wrap = privately('mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys')
    const reason = await refused({ TS_DEST_IP: address }, wrap)
    expect(reason).toContain(`${family} forwarding is off`)
    expect(reason).toContain(`Set ${setting}=1 through the Pod's securityContext.sysctls`)
  })

  it('an address that is in use', async () => {
    await using first = await Proxy.start(bed, { ...target, TS_ENABLE_HEALTH_CHECK: 'true', TS_BOOT_TIMEOUT: '1m' })
    await first.process.line(/tailscale up/)
    const second = await Proxy.start(bed, {
      TS_ENABLE_HEALTH_CHECK: 'true',
      TS_USERSPACE: 'true',
      CULVERT_SOCKET: '/tmp/second.sock',
    })
    const { code, reason } = await second.ended()
    expect(code).toBe(1)
    expect(reason).toMatch(/cannot listen on \[::\]:9002.*EADDRINUSE.*TS_LOCAL_ADDR_PORT/)
  })
})
