import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import type { Refused } from '../../../operator/kind.ts'
import { l7Ingress } from '../../../operator/l7-ingress/kind.ts'
import type { Device } from '../../../operator/proxy/request.ts'
import { ingress, service, settings, worldOf } from '../a-world.ts'

const spec = { defaultBackend: { service: { name: 'site', port: { number: 80 } } } }
const web = ingress('web', spec)
const site = service('site')

describe('the status of an Ingress', () => {
  const device: Device = {
    ordinal: 0,
    id: 'n1',
    fqdn: 'old.example.ts.net',
    addresses: ['100.64.0.1'],
    httpsEndpoint: 'app.example.ts.net',
    isCurrent: true,
    isReady: false,
  }
  type Given = { readonly object?: KubeObject; readonly refused?: Refused; readonly backends?: readonly KubeObject[] }
  const report = (change: Partial<Device>, { object = web, refused, backends = [site] }: Given = {}) => {
    const seen = { devices: [{ ...device, ...change }], name: 'ts-web', refused }
    return l7Ingress.report(object, seen, worldOf(object, ...backends), settings)
  }
  const https = { port: 443, protocol: 'TCP' }

  it('has the name under which HTTPS is served, and its port', () => {
    expect(report({})).toEqual({
      status: { loadBalancer: { ingress: [{ hostname: 'app.example.ts.net', ports: [https] }] } },
      conditions: [],
      events: [],
    })
  })

  it('has an Event while the certificate does not come, with the reason', () => {
    const state = (failures: number) => {
      const entry = { failures, notBefore: '2026-01-01T12:00:00.000Z', ...(failures > 0 && { reason: 'rate-limit' }) }
      const text = JSON.stringify({ version: 1, domains: { 'app.example.ts.net': entry } })
      const data = { 'culvert-certificates': Buffer.from(text).toString('base64') }
      return { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'ts-web-0', namespace: settings.namespace }, data }
    }
    expect(report({}, { backends: [site, state(2)] }).events).toEqual([
      {
        type: 'Warning',
        reason: 'IngressNotServed',
        message:
          'waits for a certificate for app.example.ts.net: the last request failed (rate-limit); ts-web-0 makes the next one at 2026-01-01T12:00:00Z',
      },
    ])
    expect(report({}, { backends: [site, state(0)] }).events).toEqual([])
  })

  it('has port 80 with the redirect', () => {
    const { status } = report(
      {},
      { object: ingress('web', spec, { annotations: { 'tailscale.com/http-redirect': 'true' } }) },
    )
    expect(status).toMatchObject({ loadBalancer: { ingress: [{ ports: [https, { port: 80, protocol: 'TCP' }] }] } })
  })

  it.each([
    ['the Pod was replaced', { isCurrent: false }, {}],
    ['nothing is served yet', { httpsEndpoint: undefined }, {}],
    ['no path has a backend', {}, { backends: [] }],
  ])('is empty while %s', (_what, change, given) => {
    expect(report(change, given)).toEqual({ status: { loadBalancer: {} }, conditions: [], events: [] })
  })

  it('is empty while the tailnet has no certificates, which an Event tells with the remedy', () => {
    const { status, events: told } = report({ httpsEndpoint: 'no-https' })
    expect(status).toEqual({ loadBalancer: {} })
    expect(told).toMatchObject([
      { reason: 'HTTPSNotEnabled', message: expect.stringContaining('admin console') as string },
    ])
    expect(report({ httpsEndpoint: 'no-https', isCurrent: false }).events).toEqual([])
  })

  it('comes with an Event while the Pod cannot start, since an Ingress has no conditions', () => {
    const refused: Refused = { as: 'pending', reason: 'ProxyPodNotStarted', message: 'ErrImagePull' }
    expect(report({}, { refused }).events).toEqual([
      { type: 'Warning', reason: 'ProxyPodNotStarted', message: 'ErrImagePull' },
    ])
  })

  it('stays as it is while the Ingress is refused, since what was served goes on', () => {
    const refused: Refused = { as: 'invalid', reason: 'InvalidIngressConfiguration', message: 'no' }
    const before = { loadBalancer: { ingress: [{ hostname: 'app.example.ts.net', ports: [https] }] } }
    const object = ingress('web', {}, { annotations: { 'tailscale.com/tags': 'web' } }, before)
    expect(report({}, { object, refused }).status).toEqual(before)
    expect(report({ isCurrent: false }, { object, refused }).status).toEqual({ loadBalancer: {} })
    // The Pod has been replaced.
    expect(report({}, { object: { ...object, status: {} }, refused }).status).toEqual(before)
  })
})
