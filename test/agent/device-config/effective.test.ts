import { describe, expect, it } from 'vitest'
import { configToHand, waitingServices } from '../../../agent/device-config/effective.ts'
import { forwardingName, planForwarding } from '../../../agent/forwarding/reconciler.ts'
import { planServe, serveName } from '../../../agent/serve/reconciler.ts'
import type { World } from '../../../agent/world/world.ts'
import { parseDeviceConfig } from '../../../wire/device-config.ts'
import { parseIngressServices } from '../../../wire/ingress-services.ts'
import { parseServeFile } from '../../../wire/serve-file.ts'
import { aWorld } from '../a-world.ts'

const path = '/c/cap-106.hujson'
const text =
  '{"Version":"alpha0", // as others write it\n"advertiseservices":["svc:x"],"AdvertiseServices":["svc:http","svc:l3","svc:none"],"RelayServerPort":0,}'
const bytes = Buffer.from(text)
const deviceConfig = { current: { path, cap: 106, bytes, config: parseDeviceConfig(path, bytes) } }

const env = {
  TS_USERSPACE: 'false',
  TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR: '/c',
  TS_SERVE_CONFIG: '/etc/proxies/serve-config.json',
  TS_INGRESS_PROXIES_CONFIG_PATH: '/etc/proxies/ingress-config.json',
  TS_EXPERIMENTAL_SERVICE_AUTO_ADVERTISEMENT: 'false',
  KUBERNETES_SERVICE_HOST: '10.96.0.1',
  TS_KUBE_SECRET: 'p',
  POD_IPS: '10.0.0.5',
}

const serveConfig = {
  content: parseServeFile(Buffer.from('{"Services":{"svc:http":{"TCP":{"80":{"HTTP":true}}}}}')),
}
const ingressServices = {
  content: parseIngressServices(
    Buffer.from('{"svc:l3":{"IPv4Mapping":{"TailscaleServiceIP":"100.99.1.1","ClusterIP":"10.96.0.1"}}}'),
  ),
}

/** All is mounted, and of what it says only `stands` is in place. */
function world(stands: readonly ('served' | 'forwarded')[], change: Partial<World> = {}, more = {}): World {
  const base = aWorld({ deviceConfig, serveConfig, ingressServices, ...change }, { ...env, ...more })
  const mounted = { ...base, tailnet: { ...base.tailnet, certDomains: [] } }
  const report = (verified: unknown) => ({ desired: verified, verified, repairs: 0, failures: 0 })
  return {
    ...mounted,
    facets: {
      ...(stands.includes('served') && { [serveName]: report(planServe(mounted)) }),
      ...(stands.includes('forwarded') && { [forwardingName]: report(planForwarding(mounted)) }),
    },
  }
}

describe('a Tailscale Service of the config file waits', () => {
  const told = { path, bytes, services: ['svc:http', 'svc:l3', 'svc:none'] }
  const daemon = { phase: 'running', restarts: 0, config: told } as const
  const unread = { content: undefined, rejected: 'it is half a file' }
  it.each<[string, World, string[]]>([
    ['while nothing that the files say of it stands', world([]), ['svc:http', 'svc:l3']],
    ['until it is served', world(['forwarded']), ['svc:http']],
    ['until it is forwarded', world(['served']), ['svc:l3']],
    ['no more once all stands', world(['served', 'forwarded']), []],
    ['while a file may name it', world(['forwarded'], { serveConfig: unread }), ['svc:http', 'svc:none']],
    ['never where nothing is mounted', world([], {}, { TS_SERVE_CONFIG: '', TS_INGRESS_PROXIES_CONFIG_PATH: '' }), []],
    [
      'never where the agent itself advertises',
      world([], {}, { TS_EXPERIMENTAL_SERVICE_AUTO_ADVERTISEMENT: 'true' }),
      [],
    ],
    ['never again once tailscaled was told of it', world([], { daemon }), []],
  ])('%s', (_name, now, expected) => {
    expect(waitingServices(now)).toEqual(expected)
  })
})

describe('what tailscaled is to read', () => {
  it('is the file, byte for byte, when nothing waits', () => {
    expect(configToHand(world(['served', 'forwarded']))).toEqual({
      bytes,
      services: deviceConfig.current.config.advertiseServices,
    })
  })

  it('else says the same but what waits', () => {
    const handed = configToHand(world(['served']))!
    expect(JSON.parse(handed.bytes.toString())).toEqual({
      Version: 'alpha0',
      RelayServerPort: 0,
      AdvertiseServices: handed.services,
    })
    expect(handed.services).toEqual(['svc:http', 'svc:none'])
    expect(parseDeviceConfig(path, handed.bytes).advertiseServices).toEqual(handed.services)
  })
})
