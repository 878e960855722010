import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { nothingLeft, onDisk, Proxy } from './proxy.ts'

let bed: Bed<'proxy' | 'other'>
beforeAll(async () => {
  bed = await startBed({ hosts: { proxy: { network: 'cluster' }, other: { network: 'cluster' } } })
})
afterAll(async () => bed.down())

const target = { TS_DEST_IP: '10.98.0.11' }
const hurried = { ...target, CULVERT_TEST_SHORT_WAITS: 'true' }

it('at the boot deadline the agent ends with 1 and tailscaled’s own reason', async () => {
  const impatient = { ...hurried, TS_BOOT_TIMEOUT: '10s' }
  const elsewhere = { TS_AUTHKEY: await bed.authKey(), TS_EXTRA_ARGS: '--login-server=http://10.99.0.1:9' }
  // Both at once, since each takes as long as the deadline.
  const [wrong, lost] = await Promise.all([
    Proxy.start(bed, { ...impatient, TS_AUTHKEY: 'tskey-auth-wrong' }),
    Proxy.start(bed, { ...impatient, ...elsewhere }, { host: 'other' }),
  ])
  await wrong.process.line(/^boot: .*not connected to the tailnet yet: .*invalid key/)
  await lost.process.line(/^boot: .*not connected to the tailnet yet: .*/)
  const { code, reason, log } = await wrong.ended()
  expect(code).toBe(1)
  expect(reason).toMatch(/boot deadline of 10 s: .*invalid key: API key does not exist/)
  expect(log).not.toContain('tskey-auth-wrong')
  expect(await lost.ended()).toMatchObject({
    code: 1,
    reason: expect.stringMatching(/boot deadline of 10 s: .*10\.99\.0\.1:9.*(connection refused|connect)/),
  })
  for (const { host } of [wrong, lost]) await nothingLeft(host)
})

// The scenarios of test/blackbox show that both outlast the boot deadline.
it('a login by a person is waited for, with one URL in the log and in the status', async () => {
  await using proxy = await Proxy.start(bed, hurried)
  const { tailscaled } = await proxy.until((status) => status.tailscaled.loginUrl !== null)
  // The status may know it before `tailscale up` has printed it.
  await proxy.process.line(/https?:\/\/\S*\/a\/\w+/)
  expect(await proxy.command('ready')).toMatchObject({
    exitCode: 1,
    stdout: expect.stringContaining(String(tailscaled.loginUrl)),
  })
  const urls = proxy.process.log.join('\n').match(/https?:\/\/\S*\/a\/\w+/g)
  expect(new Set(urls)).toEqual(new Set([tailscaled.loginUrl]))
  await bed.control.completeLogin(String(tailscaled.loginUrl))
  await proxy.process.line(/Startup complete/)
})

it('approval by an admin of the tailnet is waited for', async () => {
  await bed.control.putSettings({ approvalRequired: true })
  try {
    const key = await bed.authKey({ approved: false })
    await using proxy = await Proxy.start(bed, { ...hurried, TS_AUTHKEY: key })
    const { node } = await proxy.until(
      ({ tailscaled, notReady, node: { id } }) =>
        tailscaled.state === 'NeedsMachineAuth' && id !== null && /approval/.test(notReady.join()),
    )
    await bed.control.patchNode(String(node.id), { approved: true })
    await proxy.process.line(/Startup complete/)
  } finally {
    await bed.control.putSettings({ approvalRequired: false })
  }
})

it('a node with state needs no valid key', async () => {
  const env = { ...target, ...onDisk, TS_AUTHKEY: await bed.authKey() }
  const ids: (string | null)[] = []
  for (let start = 0; start < 2; start += 1) {
    await using proxy = await Proxy.ready(bed, env)
    ids.push((await proxy.status()).node.id)
  }
  expect(ids[1]).toBe(ids[0])
})

it('a key may be in a file, so that no process list shows it', async () => {
  const key = await bed.authKey()
  await bed.host('proxy').exec(['sh', '-c', 'umask 077; cat > /tmp/key'], { input: key })
  await using proxy = await Proxy.ready(bed, { ...target, TS_AUTHKEY: 'file:/tmp/key' })
  await expect.poll(() => proxy.command('ready')).toMatchObject({ exitCode: 0 })
  expect(proxy.process.log.join('\n')).not.toContain(key)
})

it('userspace networking needs no capability and makes no rules', async () => {
  const env = { TS_USERSPACE: 'true', TS_AUTHKEY: await bed.authKey(), TS_SOCKS5_SERVER: 'localhost:1055' }
  const wrap = [
    'setpriv',
    '--bounding-set',
    '-net_admin,-mknod,-sys_admin',
    '--inh-caps',
    '-net_admin,-mknod,-sys_admin',
  ]
  await using proxy = await Proxy.start(bed, env, { wrap })
  await proxy.process.line(/Startup complete/)
  await expect.poll(() => proxy.command('ready')).toMatchObject({ exitCode: 0 })
  expect((await proxy.host.exec(['nft', 'list', 'ruleset'])).stdout).not.toContain('culvert')
  expect((await proxy.host.exec(['ss', '-Hltn'])).stdout).toContain('127.0.0.1:1055')
})
