import { describe, expect, it } from 'vitest'
import { type Environment, readSettings } from '../../../agent/settings/read.ts'

const kernel = { TS_USERSPACE: 'false' }
const pod = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT_HTTPS: '443' }

describe('the targets in the tailnet, and the services of a group', () => {
  it.each<[string, Environment, object]>([
    [
      'a target in the tailnet',
      { ...kernel, TS_TAILNET_TARGET_IP: '100.64.0.9' },
      {
        tailnetTarget: { kind: 'address', address: { family: 4, text: '100.64.0.9' } },
        forwardedFamilies: [4],
        forwardsAny: false,
        exempt: ['udp . 41641'],
        portEnv: { PORT: '41641' },
      },
    ],
    [
      'a target by name',
      { ...kernel, TS_TAILNET_TARGET_FQDN: 'DB.lab.ts.net' },
      { tailnetTarget: { kind: 'name', name: 'db.lab.ts.net.' }, forwardedFamilies: [], forwardsAny: true },
    ],
    [
      'the ports of listeners, which are exempt',
      {
        ...kernel,
        TS_TAILNET_TARGET_IP: 'fd7a:115c:a1e0::9',
        TS_ENABLE_HEALTH_CHECK: 'true',
        TS_DEBUG_ADDR_PORT: '[::]:9003',
        TS_SOCKS5_SERVER: ':1080',
        TS_OUTBOUND_HTTP_PROXY_LISTEN: 'localhost:1081',
      },
      { exempt: ['tcp . 9002', 'tcp . 9003', 'tcp . 1080', 'tcp . 1081', 'udp . 41641'] },
    ],
    [
      'no exempt port without a listener',
      { ...kernel, TS_TAILNET_TARGET_IP: '100.64.0.9', TS_HEALTHCHECK_ADDR_PORT: '[::]:81' },
      { exempt: ['tcp . 81', 'udp . 41641'] },
    ],
    [
      'tailscaled’s port from PORT',
      { ...kernel, TS_TAILNET_TARGET_IP: '100.64.0.9', PORT: '5000' },
      { exempt: ['udp . 5000'], portEnv: { PORT: '5000' } },
    ],
    [
      'tailscaled’s port from its arguments',
      { ...kernel, TS_TAILNET_TARGET_IP: '100.64.0.9', PORT: '5000', TS_TAILSCALED_EXTRA_ARGS: '--port=5001' },
      { exempt: ['udp . 5001'], portEnv: {} },
    ],
    [
      'the last of several ports, in any spelling',
      { ...kernel, TS_TAILNET_TARGET_IP: '100.64.0.9', TS_TAILSCALED_EXTRA_ARGS: '--port=1 -port 2 --no-port=3' },
      { exempt: ['udp . 2'], portEnv: {} },
    ],
    ['no exempt port without a target', { ...kernel, PORT: '5000' }, { exempt: [], portEnv: {} }],
    [
      'the ports of listeners, which services of a group may not take',
      { ...kernel, ...pod, PORT: '5000', TS_EGRESS_PROXIES_CONFIG_PATH: '/etc/proxies' },
      { exempt: ['tcp . 9002'], portEnv: {} },
    ],
    [
      'cluster traffic via ingress',
      {
        ...kernel,
        EXPERIMENTAL_ALLOW_PROXYING_CLUSTER_TRAFFIC_VIA_INGRESS: 'true',
        POD_IP: '10.0.0.1',
        POD_IPS: '10.0.0.1,fd00::1',
      },
      { viaIngress: [4, 6], exempt: ['udp . 41641'] },
    ],
    [
      'services of a ProxyGroup',
      { ...kernel, ...pod, TS_EGRESS_PROXIES_CONFIG_PATH: '/e', TS_INGRESS_PROXIES_CONFIG_PATH: '/i/x.json' },
      {
        egressServicesDirectory: '/e',
        ingressServicesFile: '/i/x.json',
        forwardsAny: true,
        endpoints: { listen: { port: 9002 } },
      },
    ],
  ])('%s', (_name, env, expected) => {
    expect(readSettings(env).settings).toMatchObject(expected)
  })

  it.each<[string, Environment, RegExp]>([
    ['no address', { TS_TAILNET_TARGET_IP: 'db' }, /^TS_TAILNET_TARGET_IP="db" is not valid: one IP address/],
    ['no name', { TS_TAILNET_TARGET_FQDN: 'a..b.ts.net' }, /^TS_TAILNET_TARGET_FQDN="a\.\.b\.ts\.net" is not valid/],
  ])('%s is refused', (_name, env, message) => {
    expect(() => readSettings({ ...kernel, ...env })).toThrow(message)
  })

  it('warns when tailscaled’s port is random', () => {
    const env = { ...kernel, TS_TAILNET_TARGET_IP: '100.64.0.9', TS_TAILSCALED_EXTRA_ARGS: '--port=0' }
    const { settings, warnings } = readSettings(env)
    expect(settings).toMatchObject({ exempt: [], portEnv: {} })
    expect(warnings).toEqual([expect.stringMatching(/--port=0/)])
  })
})
