import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { ask, startEcho } from '../lab/traffic/traffic.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import { Proxy } from './proxy.ts'
import { mountServeConfig, servedBy, serveFile, visitFrom } from './serving.ts'

type Addresses = { readonly v4: string; readonly v6: string }

const [first, last] = [20_000, 24_999]
const asked = [first, 22_500, last]
const count = last - first + 1

let bed: Bed<'client' | 'proxy' | 'backend'>
beforeAll(async () => {
  const cluster = { network: 'cluster' } as const
  const client = { network: 'wan', tailscaled: true } as const
  bed = await startBed({ hosts: { client, proxy: cluster, backend: cluster } })
  await startEcho(bed.host('backend'), { ports: asked })
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

const site = (port: number) => ({
  TCP: { [port]: { HTTP: true } },
  Web: { [`proxy.lab.ts.net:${port}`]: { Handlers: { '/': { Text: 'a text' } } } },
})

it.each([
  ['by tailscaled alone', ({ v4 }: Addresses) => v4, 1],
  ['by the relay', ({ v4, v6 }: Addresses) => `${v4},${v6}`, 2],
])('5,000 ports of each protocol without privilege, %s', async (_how, targets, perPort) => {
  mountServeConfig(bed.host('proxy'), {})
  await using proxy = await Proxy.start(bed, {
    TS_USERSPACE: 'true',
    TS_AUTHKEY: await bed.authKey(),
    TS_DEST_IP: targets(bed.host('backend').address as Addresses),
    TS_SERVE_CONFIG: serveFile,
    CULVERT_DEST_PORTS: `tcp/${first}-${last},udp/${first}-${last}`,
  })
  await proxy.until(({ ready }) => ready)
  const { v4: to } = await proxy.own()
  const all = async () => {
    for (const protocol of ['tcp', 'udp'] as const) {
      for (const port of asked)
        expect(await ask(bed.host('client'), { to, protocol, port })).toMatchObject({ host: 'backend' })
    }
  }
  await all()
  // A socket for each port that the agent itself has, and those that it has anyway.
  expect(readdirSync(`/proc/${proxy.process.pid}/fd`).length).toBeLessThan(perPort * count + 200)

  mountServeConfig(bed.host('proxy'), site(asked[1]!))
  const visit = () => visitFrom(bed.host('client'), { name: 'proxy.lab.ts.net', to, port: asked[1]! })
  await expect.poll(visit).toMatchObject({ body: 'a text' })
  expect(Object.keys(((await servedBy(proxy)) as { TCP: object }).TCP)).toHaveLength(count)
  await proxy.until(({ ports }) => ports?.problems.length === 1)
  mountServeConfig(bed.host('proxy'), {})
  await proxy.until(({ ports }) => ports?.problems.length === 0)
  await expect
    .poll(() => ask(bed.host('client'), { to, protocol: 'tcp', port: asked[1]! }).catch(String))
    .toMatchObject({ host: 'backend' })
  await all()
})
