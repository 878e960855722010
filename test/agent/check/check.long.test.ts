import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Bed, startBed } from '../../lab/bed.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { Proxy } from '../proxy.ts'
import { checkOf, isWell, messages, startSink, whileDropping, wrong } from './checked.ts'

let bed: Bed<'client' | 'proxy' | 'backend'>
beforeAll(async () => {
  bed = await startBed()
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
