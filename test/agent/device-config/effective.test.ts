import { describe, expect, it } from 'vitest'
import { effectiveConfig, waitingServices } from '../../../agent/device-config/effective.ts'
import { forwardingKey, planForwarding } from '../../../agent/forwarding/reconciler.ts'
import { planServe, serveKey } from '../../../agent/serve/reconciler.ts'
import type { World } from '../../../agent/world/world.ts'
import { parseDeviceConfig } from '../../../wire/device-config.ts'
import { parseIngressServices } from '../../../wire/ingress-services.ts'
import { parseServeFile } from '../../../wire/serve-file.ts'
import { aReport, aWorld } from '../a-world.ts'

const path = '/c/cap-106.hujson'
const text =
  '{"Version":"alpha0", // as others write it\n"advertiseservices":["svc:x"],"AdvertiseServices":["svc:http","svc:l3","svc:none"],"RelayServerPort":0,}'
const bytes = Buffer.from(text)
const file = { content: { path, cap: 106, bytes, config: parseDeviceConfig(path, bytes) } }

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
  content: parseServeFile(Buffer.from('{"Services":{"svc:http":{"TCP":{"80":{"TCPForward":"a:80"}}}}}')),
}
const ingressServices = {
  content: parseIngressServices(
    Buffer.from('{"svc:l3":{"IPv4Mapping":{"TailscaleServiceIP":"100.99.1.1","ClusterIP":"10.96.0.1"}}}'),
  ),
}

/** A World in which everything is mounted, and only `finished` is in place. */
function world(finished: readonly ('served' | 'forwarded')[], change: Partial<World> = {}, more = {}): World {
  const base = aWorld(
    { deviceConfig: { file }, mounted: { serveConfig, ingressServices }, ...change },
    { ...env, ...more },
  )
  const running = { ...base, tailnet: { ...base.tailnet, certDomains: [] } }
  return {
    ...running,
    reports: {
      ...(finished.includes('served') && { [serveKey.name]: aReport(planServe(running)) }),
      ...(finished.includes('forwarded') && { [forwardingKey.name]: aReport(planForwarding(running)) }),
    },
  }
}

describe('a Tailscale Service of the config file is withheld', () => {
  const read = { path, bytes, services: ['svc:http', 'svc:l3', 'svc:none'] }
  const rejected = { content: parseServeFile(Buffer.from('{"Services":{"svc:none":{}}}')) }
  const unread = { content: undefined, rejected: 'it is half a file' }
  it.each<[string, World, string[]]>([
    ['while nothing is in place', world([]), ['svc:http', 'svc:l3']],
    ['until it is served', world(['forwarded']), ['svc:http']],
    ['until it is forwarded', world(['served']), ['svc:l3']],
    ['no more once all is in place', world(['served', 'forwarded']), []],
    [
      'while an unread file may name it',
      world(['forwarded'], { mounted: { serveConfig: unread, ingressServices } }),
      ['svc:http', 'svc:none'],
    ],
    [
      'while its entry in a file is rejected',
      world(['forwarded'], { mounted: { serveConfig: rejected, ingressServices } }),
      ['svc:none'],
    ],
    ['never without mounted files', world([], {}, { TS_SERVE_CONFIG: '', TS_INGRESS_PROXIES_CONFIG_PATH: '' }), []],
    [
      'never where the agent itself advertises',
      world([], {}, { TS_EXPERIMENTAL_SERVICE_AUTO_ADVERTISEMENT: 'true' }),
      [],
    ],
    ['never again once tailscaled has read it', world([], { deviceConfig: { file, read } }), []],
  ])('%s', (_name, now, expected) => {
    expect(waitingServices(now)).toEqual(expected)
  })
})

describe('the config file for tailscaled', () => {
  it('is the mounted file, byte for byte, when nothing is withheld', () => {
    expect(effectiveConfig(world(['served', 'forwarded']))).toEqual({
      bytes,
      services: file.content.config.advertiseServices,
    })
  })

  it('otherwise says the same without what is withheld', () => {
    const effective = effectiveConfig(world(['served']))!
    expect(JSON.parse(effective.bytes.toString())).toEqual({
      Version: 'alpha0',
      RelayServerPort: 0,
      AdvertiseServices: effective.services,
    })
    expect(effective.services).toEqual(['svc:http', 'svc:none'])
    expect(parseDeviceConfig(path, effective.bytes).advertiseServices).toEqual(effective.services)
  })
})
