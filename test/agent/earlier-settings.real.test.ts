import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { tellOnFailure } from '../lab/vitest.ts'
import { onDisk, Proxy } from './proxy.ts'

let bed: Bed<'proxy'>
beforeAll(async () => {
  bed = await startBed({ hosts: { proxy: { network: 'cluster' } } })
})
afterAll(() => bed.down())
beforeEach(() => tellOnFailure(bed))

/** The node keeps its state on disk from one run to the next. */
const kept = { TS_USERSPACE: 'true', ...onDisk }
/** A killed run leaves its settings, since it could not withdraw anything. As in a container, tailscaled dies with it. */
const kill = async (proxy: Proxy): Promise<void> => {
  const { tailscaled } = await proxy.status()
  proxy.process.kill('SIGKILL')
  await proxy.host.exec(['kill', '-KILL', String(tailscaled.pid)])
  await proxy.ended()
}

it('settings of a killed run that are not set any more are reset, and named', async () => {
  const first = await Proxy.ready(bed, {
    ...kept,
    TS_AUTHKEY: await bed.authKey(),
    TS_HOSTNAME: 'earlier',
    TS_ROUTES: '10.1.0.0/16',
    TS_EXTRA_ARGS: `--login-server=${bed.controlUrl} --accept-routes --ssh`,
  })
  const { node } = await first.status()
  await kill(first)

  await using again = await Proxy.ready(bed, { ...kept, TS_HOSTNAME: '' })
  expect((await again.status()).node.id).toBe(node.id)
  const [line] = await again.process.line(/the node has .* of an earlier run/)
  for (const flag of ['--accept-routes', '--ssh', '--hostname=earlier', '--advertise-routes=10.1.0.0/16']) {
    expect(line).toContain(flag)
  }
  await expect.poll(async () => (await bed.control.node(String(node.id))).advertisedRoutes).toEqual([])
})

it('a known node waits for the control server beyond its boot deadline', async () => {
  const env = { ...kept, TS_STATE_DIR: '/var/lib/patient', TS_HOSTNAME: 'patient', TS_BOOT_TIMEOUT: '1s' }
  await kill(await Proxy.ready(bed, { ...env, TS_BOOT_TIMEOUT: '60s', TS_AUTHKEY: await bed.authKey() }))
  await bed.control.startOutage({ seconds: 600 })
  await using again = await Proxy.start(bed, { ...env, CULVERT_TEST_SHORT_WAITS: 'true' })
  const waits = () => again.lines.filter((line) => line.includes('the control server cannot be reached')).length
  // One a second: the deadline is long over.
  await expect.poll(waits).toBeGreaterThan(4)
  await bed.control.endOutage()
  await again.process.line(/Startup complete/)
})

it('an auth key file is needed by a login alone', async () => {
  const env = { ...kept, TS_STATE_DIR: '/var/lib/file', TS_HOSTNAME: 'file', TS_AUTHKEY: 'file:/run/key' }
  const absent = await Proxy.start(bed, env)
  expect((await absent.ended()).reason).toMatch(/^TS_AUTHKEY names the file \/run\/key, which cannot be read/)

  const { host } = absent
  await host.exec(['sh', '-c', `cat > /run/key`], { input: await bed.authKey() })
  await kill(await Proxy.ready(bed, env))
  await host.exec(['rm', '/run/key'])
  await using again = await Proxy.ready(bed, env)
  await again.process.line(/\/run\/key, which cannot be read.*logged in already/)
})

it.each([
  [{ TS_EXTRA_ARGS: '--acept-routes' }, /^TS_EXTRA_ARGS is not valid: tailscale up has no flag --acept-routes/],
  [{ TS_HOSTNAME: 'my_host' }, /^TS_HOSTNAME is not valid: "my_host"/],
  [{ TS_ROUTES: '10.0.0.1/24' }, /^TS_ROUTES is not valid: .*Write 10\.0\.0\.0\/24/],
])('what tailscale can never take ends it at once: %j', async (change, reason) => {
  const proxy = await Proxy.start(bed, { TS_USERSPACE: 'true', TS_AUTHKEY: await bed.authKey(), ...change })
  const ended = await proxy.ended()
  expect(ended).toMatchObject({ code: 1, reason: expect.stringMatching(reason) })
})
