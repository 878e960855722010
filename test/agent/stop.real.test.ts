import { request } from 'node:http'
import { statSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { timings } from '../../agent/world/timings.ts'
import { type Bed, startBed } from '../lab/bed.ts'
import { leftovers, nothingLeft, Proxy } from './proxy.ts'

let bed: Bed
beforeAll(async () => {
  bed = await startBed({ hosts: { proxy: { network: 'cluster' } } })
})
afterAll(async () => bed.down())

const target = { TS_DEST_IP: '10.98.0.11,fd98::11' }

it('SIGTERM ends it with 0 and leaves nothing behind', async () => {
  const proxy = await Proxy.ready(bed, { ...target, TS_AUTHKEY: await bed.authKey() })
  expect(await leftovers(proxy.host)).not.toEqual([])
  proxy.process.kill('SIGTERM')
  expect(await proxy.ended()).toMatchObject({ code: 0, reason: '' })
  await nothingLeft(proxy.host)
})

it.each([0, 30, 60, 100, 200, 400, 800, 1200])('SIGTERM %i ms after the first line ends it with 0', async (ms) => {
  const proxy = await Proxy.start(bed, { ...target, TS_AUTHKEY: await bed.authKey() })
  await proxy.process.line(/^boot: /)
  await new Promise((resolve) => setTimeout(resolve, ms))
  proxy.process.kill('SIGTERM')
  expect(await proxy.ended()).toMatchObject({ code: 0, reason: '' })
  await nothingLeft(proxy.host)
})

it('a tailscaled that does not end is killed, at once on a second signal', async () => {
  const proxy = await Proxy.ready(bed, { ...target, TS_AUTHKEY: await bed.authKey() })
  const { tailscaled } = await proxy.status()
  await proxy.host.exec(['kill', '-STOP', String(tailscaled.pid)])
  proxy.process.kill('SIGTERM')
  await proxy.process.line(/received SIGTERM, shutting down/)
  proxy.process.kill('SIGTERM')
  const started = Date.now()
  expect(await proxy.ended()).toMatchObject({ code: 0 })
  // Not only when the time budget of the stop is used up.
  expect(Date.now() - started).toBeLessThan(timings.stopBudget / 2)
  await nothingLeft(proxy.host)
})

it('its endpoints answer as documented, from the start to the end', async () => {
  const health = { TS_ENABLE_HEALTH_CHECK: 'true', POD_IPS: '10.98.0.10,fd98::10' }
  await using proxy = await Proxy.start(bed, { ...target, ...health })
  await proxy.until((status) => status.tailscaled.loginUrl !== null)
  const ask = async (path: string, method = 'GET') => {
    const { stdout } = await proxy.host.exec([
      process.execPath,
      '-e',
      `const r = await fetch(process.argv[1], { method: process.argv[2] }); console.log(JSON.stringify({ status: r.status, text: await r.text(), v4: r.headers.get('pod-ipv4'), v6: r.headers.get('pod-ipv6') }))`,
      `http://127.0.0.1:9002${path}`,
      method,
    ])
    return JSON.parse(stdout) as { status: number; text: string; v4: string | null; v6: string | null }
  }
  expect(await ask('/healthz')).toMatchObject({ status: 503, v4: null })
  expect(await ask('/readyz')).toMatchObject({ status: 503, text: expect.stringMatching(/log in at http/) })
  expect(await ask('/livez')).toMatchObject({ status: 200 })
  await bed.control.completeLogin(String((await proxy.status()).tailscaled.loginUrl))
  await proxy.process.line(/Startup complete/)
  expect(await ask('/healthz')).toEqual({ status: 200, text: 'ok\n', v4: '10.98.0.10', v6: 'fd98::10' })
  expect(await ask('/healthz', 'HEAD')).toMatchObject({ status: 200, text: '' })
  expect(await ask('/healthz', 'POST')).toMatchObject({ status: 405 })
  expect(await ask('/nothing')).toMatchObject({ status: 404 })
  expect(await ask('/status')).toMatchObject({ status: 404 })
  expect(await proxy.command('ready')).toMatchObject({ exitCode: 0 })
  expect(await proxy.command('live')).toMatchObject({ exitCode: 0 })
  expect((await proxy.command('status')).stdout).toMatch(/^culvert \S+: ready\n/)
  const { tailscaled } = await proxy.status()
  const { stdout } = await proxy.host.exec(['cat', `/proc/${tailscaled.pid}/cmdline`])
  expect(stdout.split('\0').slice(1, -1)).toEqual(['--socket=/tmp/tailscaled.sock', '--state=mem:', '--statedir=/tmp'])
  expect(statSync(proxy.host.path('/tmp/culvert.sock')).mode & 0o777).toBe(0o600)
  await proxy.process.stop()
  expect(proxy.lines.at(-1)).toMatch(/ HTTP server at \[::\]:9002 closed$/)
})

it('opens no listener that is not asked for, and replaces a stale socket', async () => {
  await bed.host('proxy').exec(['sh', '-c', 'echo stale > /tmp/culvert.sock'])
  await using proxy = await Proxy.ready(bed, { ...target, TS_AUTHKEY: await bed.authKey() })
  const { stdout } = await proxy.host.exec(['ss', '-Hltnp'])
  expect(stdout.split('\n').filter((line) => line.includes('node'))).toEqual([])
  expect(await proxy.command('live')).toMatchObject({ exitCode: 0 })
  const status = await new Promise((resolve) => {
    request({ socketPath: proxy.host.path('/tmp/culvert.sock'), path: '/status', method: 'DELETE' }, (response) =>
      resolve(response.statusCode),
    ).end()
  })
  expect(status).toBe(405)
})
