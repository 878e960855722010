import type { GroupUse } from '../../../operator/group/use.ts'
import { configMaps } from '../../../operator/objects/resources.ts'

/** What the fake uses take for objects that use groups: ConfigMaps that the operator follows. */
export const usedBy = 'test/used-by'

/** Egress as far as groups are concerned: a file that lists what uses the group. */
export const egress: GroupUse = {
  type: 'egress',
  files: ({ group, world }) => ({
    'hep-pings': String(group.replicas * 3),
    'egress-services': JSON.stringify(
      Object.fromEntries(
        [...world.all(configMaps)]
          .filter(({ metadata }) => metadata.annotations?.[usedBy] === group.name)
          .map(({ metadata: { name } }, index) => {
            const ports = [{ protocol: 'TCP', matchPort: 10_000 + index, targetPort: 80 }]
            return [name, { healthCheckEndpoint: '', tailnetTarget: { ip: '100.64.9.9', fqdn: '' }, ports }]
          }),
      ),
    ),
  }),
  pod: () => ({
    variables: [
      { name: 'TS_EGRESS_PROXIES_CONFIG_PATH', value: '/etc/proxies' },
      { name: 'TS_ENABLE_HEALTH_CHECK', value: 'true' },
    ],
    readinessGates: [],
    preStop: '/internal-egress-services-preshutdown',
    graceSeconds: 360,
  }),
  concerns: [
    {
      resource: configMaps,
      groups: ({ metadata }) => {
        const name = metadata.annotations?.[usedBy]
        return name === undefined ? [] : [name]
      },
    },
  ],
}

/** Ingress as far as groups are concerned: each replica advertises one Tailscale Service. */
export const ingress: GroupUse = {
  type: 'ingress',
  files: () => ({ 'serve-config.json': '{}', 'ingress-config.json': '{}' }),
  pod: () => ({
    variables: [
      { name: 'TS_INGRESS_PROXIES_CONFIG_PATH', value: '/etc/proxies/ingress-config.json' },
      { name: 'TS_SERVE_CONFIG', value: '/etc/proxies/serve-config.json' },
    ],
    readinessGates: ['example.com/gate'],
    graceSeconds: 60,
  }),
  device: ({ group }) => ({ AdvertiseServices: [`svc:${group.name}`] }),
  concerns: [],
}
