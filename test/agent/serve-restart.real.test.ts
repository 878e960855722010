import { mkdirSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import { Proxy } from './proxy.ts'

let bed: Bed<'proxy'>
beforeAll(async () => {
  bed = await startBed({ hosts: { proxy: { network: 'cluster' } } })
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

it('a Tailscale Service is advertised again after tailscaled lost its state, and no other program is blamed', async () => {
  await bed.control.putService('svc:web', { autoApprove: true })
  mkdirSync(bed.host('proxy').path('/tmp/serve'))
  const config = { Services: { 'svc:web': { TCP: { 5432: { TCPForward: '127.0.0.1:81' } } } } }
  writeFileSync(bed.host('proxy').path('/tmp/serve/config.json'), JSON.stringify(config))
  await using proxy = await Proxy.ready(bed, {
    TS_USERSPACE: 'true',
    TS_SERVE_CONFIG: '/tmp/serve/config.json',
    TS_AUTHKEY: await bed.authKey({ reusable: true }),
    CULVERT_TEST_SHORT_WAITS: 'true',
  })
  const advertises = async (): Promise<string> => {
    const prefs = ['tailscale', '--socket=/tmp/tailscaled.sock', 'debug', 'prefs']
    const { stdout } = await proxy.host.exec(prefs, { check: false })
    return (/"AdvertiseServices": (\[[^\]]*\]|null)/.exec(stdout)?.[1] ?? '').replaceAll(/\s/g, '')
  }
  await expect.poll(advertises).toBe('["svc:web"]')
  const { pid } = (await proxy.status()).tailscaled
  await proxy.host.exec(['kill', '-KILL', String(pid)])
  await proxy.until(({ ready, tailscaled }) => ready && tailscaled.restarts === 1)
  await expect.poll(advertises).toBe('["svc:web"]')
  expect(proxy.lines.filter((line) => line.includes('another program'))).toEqual([])
})
