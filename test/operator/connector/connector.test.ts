import { describe, expect, it, test } from 'vitest'
import { UserError } from '../../../kube/controller/controller.ts'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { connector } from '../../../operator/connector/connector.ts'
import type { Seen } from '../../../operator/kind.ts'
import type { Device } from '../../../operator/proxy/request.ts'
import type { ConnectorSpec } from '../../../operator/schemas/connector.ts'
import { settings, worldOf } from '../a-world.ts'

const made = (spec: ConnectorSpec, name = 'a', status = {}): KubeObject => ({
  apiVersion: 'tailscale.com/v1alpha1',
  kind: 'Connector',
  metadata: { name, uid: `uid-${name}`, generation: 1 },
  spec,
  status,
})
const planned = (spec: ConnectorSpec, name?: string) => connector.plan(made(spec, name), worldOf(), settings).proxies!
const routes = (...advertiseRoutes: string[]): ConnectorSpec => ({ subnetRouter: { advertiseRoutes } })

function refusal(spec: ConnectorSpec): string {
  try {
    planned(spec)
  } catch (error) {
    if (error instanceof UserError) return `${error.reason}: ${error.message}. ${error.remedy}`
    throw error
  }
  return 'none'
}

it('asks for a proxy that forwards, without a target', () => {
  expect(planned({ exitNode: true, tags: ['tag:a'], proxyClass: 'prod' })).toEqual({
    type: 'connector',
    app: 'k8s-operator-connector-resource',
    hostnames: ['a-connector'],
    tags: ['tag:a'],
    mode: 'kernel',
    variables: [{ name: 'CULVERT_CONFIG_SECRET', value: '$(POD_NAME)' }],
    device: { AdvertiseRoutes: ['0.0.0.0/0', '::/0'], AppConnector: { Advertise: false } },
    serveConfig: undefined,
    proxyClass: 'prod',
    metrics: 'connector',
    ownOptions: [],
  })
})

describe('what is offered to the tailnet', () => {
  const all = ['fd00:0::/8', '10.96.0.0/12', '10.0.0.0/8', '10.96.0.0/12', '192.168.1.1/32', '9.0.0.0/8']
  test.each<[string, ConnectorSpec, string[], boolean]>([
    [
      'routes by length of prefix, then by address, each once',
      routes(...all),
      ['9.0.0.0/8', '10.0.0.0/8', 'fd00::/8', '10.96.0.0/12', '192.168.1.1/32'],
      false,
    ],
    ['an exit node', { exitNode: true }, ['0.0.0.0/0', '::/0'], false],
    ['both', { exitNode: true, ...routes('10.0.0.0/8', '::/0') }, ['0.0.0.0/0', '::/0', '10.0.0.0/8'], false],
    [
      'routes of a site of 4via6',
      routes('fd7a:115c:a1e0:b1a:0:7:a01:0/112'),
      ['fd7a:115c:a1e0:b1a:0:7:a01:0/112'],
      false,
    ],
    ['an app connector, which finds its routes itself', { appConnector: {} }, [], true],
    ['an app connector with routes', { appConnector: { routes: ['203.0.113.0/24'] } }, ['203.0.113.0/24'], true],
  ])('%s', (_title, spec, AdvertiseRoutes, Advertise) => {
    expect(planned(spec).device).toEqual({ AdvertiseRoutes, AppConnector: { Advertise } })
  })
})

describe('the names of the devices', () => {
  const exitNode = true
  test.each<[string, ConnectorSpec, string, string[]]>([
    ['that of the Connector', { exitNode }, 'a', ['a-connector']],
    [
      'the first keeps its name when others come',
      { exitNode, replicas: 3 },
      'a',
      ['a-connector', 'a-connector-1', 'a-connector-2'],
    ],
    ['the given one', { exitNode, hostname: 'office' }, 'a', ['office']],
    ['the given one with a number', { exitNode, hostnamePrefix: 'office', replicas: 2 }, 'a', ['office-0', 'office-1']],
    ['also of a single one', { exitNode, hostnamePrefix: 'office' }, 'a', ['office-0']],
    ['none at all', { exitNode, replicas: 0 }, 'a', []],
    ['none at all with a name', { exitNode, replicas: 0, hostname: 'office' }, 'a', []],
    ['without dots', { exitNode }, 'a.b', ['a-b-connector']],
    ['not too long', { exitNode }, 'x'.repeat(200), [`${'x'.repeat(53)}-connector`]],
    [
      'not too long with a number',
      { exitNode, replicas: 2 },
      `${'x'.repeat(50)}-yyyyyyy`,
      [`${'x'.repeat(50)}-connector`, `${'x'.repeat(50)}-connector-1`],
    ],
  ])('%s', (_title, spec, name, hostnames) => {
    expect(planned(spec, name).hostnames).toEqual(hostnames)
  })

  it('that another Connector has, too, are reported', () => {
    const one = made({ exitNode, hostname: 'b-connector' })
    const others = [made({ exitNode }, 'b'), made({ exitNode }, 'c'), made({}, 'invalid')]
    expect(connector.plan(one, worldOf(one, ...others), settings).events).toEqual([
      { type: 'Warning', reason: 'HostnameTaken', message: expect.stringContaining('that of Connector "b", too') },
    ])
  })
})

describe('what cannot be done is refused with the remedy', () => {
  test.each<[ConnectorSpec, string]>([
    [{}, 'spec: a Connector needs at least one of subnetRouter, exitNode: true and appConnector'],
    [{ exitNode: true, appConnector: {} }, 'spec: appConnector cannot be together with subnetRouter or exitNode'],
    [{ exitNode: true, hostname: 'ab', replicas: 2 }, 'with more replicas, use hostnamePrefix'],
    [{ exitNode: true, tags: ['tag:1'] }, 'spec.tags[0]: '],
    [routes('10.0.0.5/8'), '"10.0.0.5/8" has bits behind its prefix; the network is 10.0.0.0/8'],
    [
      routes('10.0.0.0/33', '::1', 'fd00::%eth0/8'),
      '"10.0.0.0/33" is no network such as 10.0.0.0/8; "::1" is no network',
    ],
    [routes('fd7a:115c:a1e0:b1a::/64'), 'is no 4via6 network: its prefix must be 96 or longer'],
    [routes('fd7a:115c:a1e0:b1a:1:0:a00:0/104'), 'is of a 4via6 site beyond 65535'],
    [{ appConnector: { routes: ['10.1.0.0/8'] } }, 'spec.appConnector.routes: "10.1.0.0/8" has bits behind'],
    [{ exitNode: true, tailnet: 'second' }, 'it asks for the Tailnet "second", and other tailnets'],
    [
      { exitNode: true, replicas: 2 ** 31 - 1 },
      'spec.replicas: 2147483647 are more than 500. Make several Connectors.',
    ],
    [{ exitNode: true, hostnamePrefix: 'x'.repeat(62) }, 'has more than 63 characters. Shorten the prefix.'],
  ])('%j', (spec, message) => {
    expect(refusal(spec)).toMatch(/^ConnectorInvalid: .*\. [A-Z].*\.$/s)
    expect(refusal(spec)).toContain(message)
  })
})

const device = (ordinal: number, more: Partial<Device> = {}): Device => ({
  ordinal,
  id: `n${ordinal}`,
  fqdn: `a-${ordinal}.lab.ts.net`,
  addresses: [`100.64.0.${ordinal}`, `fd7a::${ordinal}`],
  httpsEndpoint: undefined,
  isCurrent: true,
  isReady: true,
  ...more,
})
const seen = (devices: readonly Device[], refused?: Seen['refused']): Seen => ({ devices, name: 'ts-a-x', refused })
const reported = (object: KubeObject, what: Seen) => connector.report(object, what, worldOf(), settings)

describe('it is ready', () => {
  const two: ConnectorSpec = { exitNode: true, replicas: 2 }
  test.each<[string, ConnectorSpec, readonly Device[], string, string]>([
    ['with a device up for each replica', two, [device(0), device(1)], 'True', '2 of 2 devices are up'],
    ['not with one of two', two, [device(0)], 'False', '1 of 2 devices are up'],
    ['not before there is a device', { exitNode: true }, [], 'False', '0 of 1 device is up'],
    [
      'not before traffic is forwarded',
      two,
      [device(0), device(1, { fqdn: undefined })],
      'False',
      '1 of 2 devices are up',
    ],
    [
      'not with what a Pod left that is gone',
      two,
      [device(0), device(1, { isCurrent: false })],
      'False',
      '1 of 2 devices are up',
    ],
    ['not while a Pod is not ready', two, [device(0), device(1, { isReady: false })], 'False', '1 of 2 devices are up'],
    ['not by surplus devices', two, [device(1), device(2)], 'False', '1 of 2 devices are up'],
    ['when none are wanted', { exitNode: true, replicas: 0 }, [], 'True', 'No devices are wanted.'],
  ])('%s', (_title, spec, devices, status, message) => {
    const reason = status === 'True' ? 'ConnectorCreated' : 'ConnectorCreating'
    expect(reported(made(spec), seen(devices)).conditions).toEqual([
      { type: 'ConnectorReady', status, reason, message },
    ])
  })

  test.each([
    ['invalid', 'ConnectorInvalid'],
    ['pending', 'ConnectorCreating'],
    ['failed', 'ConnectorCreationFailed'],
  ] as const)('not when it is refused: %s', (as, reason) => {
    const what = seen([device(0)], { as, reason: 'Any', message: 'why' })
    expect(reported(made({}), what).conditions).toEqual([
      { type: 'ConnectorReady', status: 'False', reason, message: 'why' },
    ])
  })
})

describe('its status', () => {
  it('has the devices, and what they offer', () => {
    const spec: ConnectorSpec = { ...routes('10.2.0.0/16', '10.1.0.0/16'), exitNode: true, replicas: 2 }
    expect(reported(made(spec), seen([device(0), device(1)])).status).toEqual({
      subnetRoutes: '10.1.0.0/16,10.2.0.0/16',
      isExitNode: true,
      isAppConnector: false,
      devices: [
        { hostname: 'a-0.lab.ts.net', tailnetIPs: ['100.64.0.0', 'fd7a::0'] },
        { hostname: 'a-1.lab.ts.net', tailnetIPs: ['100.64.0.1', 'fd7a::1'] },
      ],
      hostname: 'a-0.lab.ts.net',
      tailnetIPs: ['100.64.0.0', 'fd7a::0'],
    })
  })

  it('has nothing any more of devices and roles that are gone', () => {
    const before = { hostname: 'x', tailnetIPs: ['y'], subnetRoutes: 'z', isAppConnector: true, isExitNode: false }
    expect(reported(made({ exitNode: true, replicas: 0 }, 'a', before), seen([])).status).toEqual({
      isExitNode: true,
      isAppConnector: false,
    })
  })

  it('has what is still offered while a change is refused', () => {
    const before = { subnetRoutes: '10.0.0.0/8', isExitNode: false, isAppConnector: false }
    const refused = { as: 'invalid', reason: 'ConnectorInvalid', message: 'why' } as const
    expect(reported(made({}, 'a', before), seen([device(0)], refused)).status).toMatchObject({
      ...before,
      hostname: 'a-0.lab.ts.net',
    })
    expect(reported(made({}), seen([], refused)).status).toEqual({})
  })
})
