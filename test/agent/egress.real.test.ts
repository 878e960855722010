import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { ask, startEcho } from '../lab/traffic/traffic.ts'
import { Proxy } from './proxy.ts'

// L3 egress: what the cluster sends to the Pod goes to one target in the tailnet.
let bed: Bed<'db' | 'proxy' | 'app'>
beforeAll(async () => {
  bed = await startBed({
    hosts: {
      db: { network: 'wan', tailscaled: true },
      proxy: { network: 'cluster' },
      app: { network: 'cluster' },
    },
  })
  await startEcho(bed.host('db'))
})
afterAll(async () => bed.down())

const families = ['v4', 'v6'] as const
const protocols = ['tcp', 'udp'] as const

/** The addresses of a node in the tailnet. */
const addressesOf = async (node: string) => {
  const { addresses } = await bed.control.node(node)
  const bare = addresses.map((prefix) => prefix.split('/')[0] ?? '')
  return { v4: bare.find((text) => text.includes('.')) ?? '', v6: bare.find((text) => text.includes(':')) ?? '' }
}

describe('L3 egress carries the cluster’s packets to the target', () => {
  it.each([
    ['by its name, both families', 'name', ['v4', 'v6']],
    ['by its IPv4 address', 'v4', ['v4']],
    ['by its IPv6 address', 'v6', ['v6']],
  ] as const)('%s', async (_name, by, carried) => {
    const db = await addressesOf('db')
    const target =
      by === 'name' ? { TS_TAILNET_TARGET_FQDN: 'DB.lab.ts.net' } : { TS_TAILNET_TARGET_IP: db[by] }
    await using proxy = await Proxy.ready(bed, { ...target, TS_AUTHKEY: await bed.authKey() })
    await proxy.until(({ ready }) => ready)
    const own = await proxy.own()
    for (const family of families) {
      const to = String(proxy.host.address[family])
      for (const protocol of protocols) {
        const asked = ask(bed.host('app'), { to, protocol, data: `${family} ${protocol}`, patience: 5000 })
        if ((carried as readonly string[]).includes(family)) {
          // The target sees the node, not the Pod or who asked it.
          expect(await asked).toMatchObject({ host: 'db', data: `${family} ${protocol}`, peer: own[family] })
        } else {
          await expect(asked).rejects.toThrow('ECONNREFUSED')
        }
      }
      if (!(carried as readonly string[]).includes(family)) continue
      expect((await bed.host('app').exec(['busybox', 'ping', '-c', '1', '-W', '3', to])).stdout).toContain('1 packets received')
    }
  })
})
