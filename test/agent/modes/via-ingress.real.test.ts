import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { HostProcess } from '../../lab/hosts/process.ts'
import { startEcho } from '../../lab/traffic/traffic.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { type Environment, Proxy } from '../proxy.ts'
import {
  answered,
  failing,
  working,
  hopsLeft,
  httpGet,
  notForwarded,
  type Family,
  type ModesBed,
  podEnv,
  type PodHost,
  startModes,
} from './combinations.ts'

// Cluster traffic via ingress: what the cluster sends to the Pod goes to the node's own tailnet address, where
// `tailscale serve` answers.
let bed: ModesBed
beforeAll(async () => {
  bed = await startModes()
  for (const pod of ['dual', 'only4', 'only6'] as const) await startEcho(bed.host(pod))
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

/** The agent's environment in such a Pod. */
const env = async (pod: PodHost): Promise<Environment> => ({
  ...(await podEnv(bed, pod)),
  EXPERIMENTAL_ALLOW_PROXYING_CLUSTER_TRAFFIC_VIA_INGRESS: 'true',
  TS_ENABLE_HEALTH_CHECK: 'true',
  TS_LOCAL_ADDR_PORT: `${bed.host(pod).address.v4 ?? `[${bed.host(pod).address.v6}]`}:9002`,
})

/**
 * Lets tailscaled serve TCP and HTTP, as the agent's serve config would, and another program UDP on the node's
 * addresses.
 */
async function serve({ host }: Proxy, addresses: readonly string[]): Promise<HostProcess> {
  const tailscale = ['tailscale', '--socket=/tmp/tailscaled.sock', 'serve', '--bg', '--yes']
  await host.exec([...tailscale, '--tcp=5432', 'tcp://127.0.0.1:7000'])
  await host.exec([...tailscale, '--http=80', 'http://127.0.0.1:3000'])
  const served = await host.spawn([process.execPath, join(import.meta.dirname, 'programs/served.ts'), ...addresses], {
    name: 'served',
  })
  await served.line(/^ready$/)
  // tailscaled opens its ports a moment later.
  const open = async () => (await host.exec(['ss', '-Hltn'])).stdout
  for (const address of addresses) {
    for (const port of [5432, 80]) {
      await expect.poll(open).toContain(address.includes(':') ? `[${address}]:${port} ` : `${address}:${port} `)
    }
  }
  return served
}

describe.each([...working, ...failing])('a Pod with $pod, a tailnet with $tailnet', (combination) => {
  const { pod, tailnet, forwarded } = combination
  it(`forwards ${forwarded.join(' and ') || 'nothing'}, refuses the rest and says why`, async () => {
    await bed.control.putSettings({ families: tailnet })
    await using proxy = await Proxy.ready(bed, await env(pod), { host: pod })
    await proxy.until(({ ready }) => ready)
    const own = await proxy.own()
    const served = await serve(
      proxy,
      forwarded.map((family) => own[family]),
    )
    const { address } = proxy.host
    const app = bed.host('app')
    // A listener on the node's own address sees the client; `tailscale serve` connects to its backend itself.
    const asks = (family: Family) => ({ peer: app.address[family] })
    await answered(app, address, { port: 53, protocols: ['udp'], forwarded, as: asks })
    await answered(app, address, { port: 5432, protocols: ['tcp'], forwarded, as: () => ({ peer: '127.0.0.1' }) })
    for (const family of forwarded) {
      const to = String(address[family])
      const headers: unknown = JSON.parse(await httpGet(app, to, 80))
      expect(headers).toMatchObject({ host: 'proxy.lab.ts.net', 'x-forwarded-for': app.address[family] })
      expect(headers).not.toHaveProperty('tailscale-user-login')
      expect(await hopsLeft(app, to)).toBe(64)
    }
    // The agent's own port, which is open only on the Pod's address.
    expect(await httpGet(app, String(address.v4 ?? address.v6), 9002, '/readyz')).toBe('ok')
    // From 1.104 on, tailscaled would otherwise serve only what comes through the tunnel.
    const { stdout: environment } = await proxy.host.exec(['sh', '-c', 'cat /proc/$(pidof tailscaled)/environ'])
    expect(environment.split('\0')).toContain('TS_SERVE_ALLOW_ALL_INTERFACES=true')
    const lacks = notForwarded(bed, combination)
    expect((await proxy.status()).egress?.problems).toEqual(lacks.map((text) => expect.stringContaining(text)))
    for (const text of lacks) await proxy.process.line(new RegExp(`warning: ${text}`))
    await served.stop()
  })
})
