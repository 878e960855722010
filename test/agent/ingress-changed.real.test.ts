import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { ask, startEcho } from '../lab/traffic/traffic.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import { onDisk, Proxy } from './proxy.ts'
import { servedBy, tailscale } from './serving.ts'

let bed: Bed<'client' | 'proxy' | 'backend'>
let v4: string
let v6: string
beforeAll(async () => {
  const cluster = { network: 'cluster' } as const
  const client = { network: 'wan', tailscaled: true } as const
  bed = await startBed({ hosts: { client, proxy: cluster, backend: cluster } })
  await startEcho(bed.host('backend'))
  ;({ v4, v6 } = bed.host('backend').address as { v4: string; v6: string })
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

const ports = { CULVERT_DEST_PORTS: 'tcp/7000,tcp/7001:7000' }
const userspace = { TS_USERSPACE: 'true' }
const several = () => ({ TS_DEST_IP: `${v4},${v6}` })
const one = () => ({ TS_DEST_IP: v4 })

it.each([
  [
    'several backends, then a TUN device',
    () => ({ ...userspace, ...several(), ...ports }),
    () => ({ ...several(), ...ports }),
  ],
  ['several backends, then all ports', () => ({ ...userspace, ...several(), ...ports }), several],
  [
    'the PROXY protocol, then none',
    () => ({ ...one(), ...ports, CULVERT_PROXY_PROTOCOL: '1' }),
    () => ({ ...one(), ...ports }),
  ],
])('%s: no forward of the earlier run is left after a crash', async (_what, before, after) => {
  const state = { ...onDisk, TS_AUTHKEY: await bed.authKey() }
  const first = await Proxy.start(bed, { ...state, ...before() })
  await first.until(({ ready }) => ready)
  const { tailscaled } = await first.status()
  // By hand; it is not the agent's.
  await bed.host('proxy').exec([...tailscale, 'serve', '--bg', '--tcp=7100', 'tcp://localhost:7100'])
  // As in a container, tailscaled dies with it.
  first.process.kill('SIGKILL')
  await bed.host('proxy').exec(['kill', '-KILL', `${tailscaled.pid}`])
  await first.ended()
  await using second = await Proxy.start(bed, { ...state, ...after() })
  await second.until(({ ready }) => ready)
  const { v4: to } = await second.own()
  await expect
    .poll(() => ask(bed.host('client'), { to, protocol: 'tcp', port: 7000 }).catch(String))
    .toMatchObject({ host: 'backend' })
  // With rules, traffic does not wait for that.
  await expect.poll(() => servedBy(second)).toEqual({ TCP: { 7100: { TCPForward: 'localhost:7100' } } })
})
