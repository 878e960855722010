import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { apiGroupUse } from '../../../operator/group-ingress/api-group-use.ts'
import { finalizerFor, isOurFinalizer } from '../../../operator/group-ingress/names.ts'
import { type ServiceRecord } from '../../../operator/group-ingress/record.ts'
import { requestOf } from '../../../operator/group-ingress/request.ts'
import { findGroup } from '../../../operator/group/group.ts'
import { settings, worldOf } from '../a-world.ts'
import { proxyGroup, recordFor, replica, type ReplicaGiven, secret } from './a-group.ts'

const api = (spec: object = {}, finalizers: string[] = []): KubeObject => {
  const { metadata, ...group } = proxyGroup('group', { type: 'kube-apiserver', ...spec })
  return { ...group, metadata: { ...metadata, finalizers } }
}
const parent = { type: 'proxygroup', namespace: '', name: 'group' } as const
const record = (name = 'group', more: Partial<ServiceRecord> = {}): KubeObject =>
  recordFor('svc', name, { parent, ...more })
const issued = (name = 'group'): KubeObject => secret(`${name}.example.ts.net`, { 'tls.crt': 'pem', 'tls.key': 'key' })

/** A replica whose containers are ready, or not. */
function running(ordinal: number, given: ReplicaGiven = {}, isReady = true): readonly KubeObject[] {
  const [pod, ...secrets] = replica(`group-${ordinal}`, given)
  const conditions = [{ type: 'ContainersReady', status: isReady ? 'True' : 'False' }]
  return [{ ...pod!, status: { ...(pod!['status'] as object), conditions } }, ...secrets]
}

function viewOf(...objects: readonly KubeObject[]) {
  const all = objects.some(({ kind }) => kind === 'ProxyGroup') ? objects : [api(), ...objects]
  const world = worldOf(...all)
  const group = findGroup(world, 'group', settings)
  if ('missing' in group) throw new Error(group.missing)
  return { group, world, settings }
}

const filesOf = (...objects: readonly KubeObject[]) => {
  const files = apiGroupUse.files(viewOf(...objects))
  return Object.fromEntries(Object.entries(files).map(([name, text]) => [name, JSON.parse(String(text)) as unknown]))
}
const advertisedBy = (ordinal: number, ...objects: readonly KubeObject[]): unknown =>
  apiGroupUse.device?.(viewOf(...objects), ordinal)['AdvertiseServices']
const site = { TCP: { '443': { TCPForward: '127.0.0.2:8443', ProxyProtocol: 2 } } }

type Names = { readonly ServiceName: string; readonly OtherServiceNames?: readonly string[] }

describe('the files of an API server group', () => {
  it('serve nothing before its name is its own, and tell the proxy the name that it will have', () => {
    expect(filesOf()).toEqual({
      'serve-config.json': {},
      'config.hujson': {
        Version: 'v1alpha1',
        APIServerProxy: { Enabled: true, Mode: 'auth', ServiceName: 'svc:group' },
      },
    })
  })

  it('have tailscaled hand port 443 on, with who calls, in the mode and under the name that are asked for', () => {
    const asked = api({ kubeAPIServer: { mode: 'noauth', hostname: 'k8s' } })
    const files = filesOf(asked, record('k8s'))
    expect(files['serve-config.json']).toEqual({ Services: { 'svc:k8s': site } })
    expect(files['config.hujson']).toMatchObject({ APIServerProxy: { Mode: 'noauth', ServiceName: 'svc:k8s' } })
  })

  it('serve no name of somebody else, but the own one that somebody else has by now', () => {
    const refused = 'taken'
    expect(filesOf(record('group', { refused, addresses: [] }))['serve-config.json']).toEqual({})
    const own = filesOf(record('group', { refused }))
    expect(own['serve-config.json']).toEqual({ Services: { 'svc:group': site } })
  })

  it('keep the name of before beside the new one, which comes first once it has a certificate', () => {
    const renamed = api({ kubeAPIServer: { hostname: 'k8s' } })
    const names = (...objects: readonly KubeObject[]) => {
      const files = filesOf(renamed, record(), ...objects)
      const { ServiceName, OtherServiceNames } = (files['config.hujson'] as { APIServerProxy: Names }).APIServerProxy
      return [ServiceName, ...(OtherServiceNames ?? [])].join(' ')
    }
    expect(names()).toBe('svc:group')
    expect(names(issued(), record('k8s'))).toBe('svc:group svc:k8s')
    expect(names(issued(), record('k8s'), issued('k8s'))).toBe('svc:k8s svc:group')
    expect(names(record('k8s', { refused: 'taken' }))).toBe('svc:group')
    const after = filesOf(renamed, record(), record('k8s'))
    expect(after['serve-config.json']).toEqual({ Services: { 'svc:group': site, 'svc:k8s': site } })
  })
})

describe('a replica', () => {
  const all = [record(), issued()]

  it('advertises the API once there is a certificate and its containers are ready', () => {
    expect(advertisedBy(0, ...all, ...running(0))).toEqual(['svc:group'])
    expect(advertisedBy(0, ...all, ...running(0, {}, false))).toBeUndefined()
    expect(advertisedBy(0, record(), ...running(0))).toBeUndefined()
    expect(advertisedBy(0, record('group', { refused: 'taken' }), issued(), ...running(0))).toBeUndefined()
  })

  it('advertises the old name, beside the new one, until that works', () => {
    const renamed = api({ kubeAPIServer: { hostname: 'k8s' } })
    expect(advertisedBy(0, renamed, ...all, ...running(0))).toEqual(['svc:group'])
    expect(advertisedBy(0, renamed, ...all, record('k8s'), ...running(0))).toEqual(['svc:group'])
    const both = [record('k8s'), issued(), issued('k8s'), ...running(0)]
    expect(advertisedBy(0, renamed, record(), ...both)).toEqual(['svc:group', 'svc:k8s'])
    expect(advertisedBy(0, renamed, record('group', { leaving: ['group'] }), ...both)).toEqual(['svc:k8s'])
  })

  it('goes on advertising the old name when the new one is somebody else’s', () => {
    const renamed = api({ kubeAPIServer: { hostname: 'k8s' } })
    const taken = record('k8s', { refused: 'taken' })
    expect(advertisedBy(0, renamed, ...all, taken, ...running(0))).toEqual(['svc:group'])
  })

  it('of Tailscale’s operator goes on advertising it until this one has made it its own', () => {
    const theirs = api({}, ['tailscale.com/kube-apiserver-finalizer'])
    const [pod, state] = running(0)
    const config = (AdvertiseServices: readonly string[]) => ({
      'config.hujson': JSON.stringify({ Version: 'v1alpha1', AdvertiseServices }),
    })
    const labels = { 'tailscale.com/parent-resource-type': 'proxygroup', 'tailscale.com/parent-resource': 'group' }
    const before = [theirs, pod!, state!]
    const advertising = [...before, secret('group-0-config', config(['svc:group']), labels)]
    expect(advertisedBy(0, ...advertising)).toEqual(['svc:group'])
    expect(filesOf(...advertising)['serve-config.json']).toEqual({ Services: { 'svc:group': site } })
    expect(filesOf(...before, secret('group-0-config', config([]), labels))['serve-config.json']).toEqual({})
  })
})

describe('the status of an API server group', () => {
  const told = (...objects: readonly KubeObject[]) => {
    const { conditions, status, lack } = apiGroupUse.report!(viewOf(...objects))
    return { conditions: conditions.map(({ reason, message }) => `${reason}: ${message}`), status, lack }
  }
  const serving = running(0, { advertised: ['svc:group'] })

  it('has its URL as soon as one replica serves it, and says what the others wait for', () => {
    const { conditions, status, lack } = told(record(), issued(), ...serving, ...running(1, {}, false))
    expect(conditions).toEqual([
      'KubeAPIServerProxyValid: what it asks for is valid',
      'KubeAPIServerProxyConfigured: 1/2 proxy backends ready and advertising; waits for group-1 to be ready',
    ])
    expect(status).toEqual({ url: 'https://group.example.ts.net' })
    expect(lack).toBeUndefined()
  })

  it.each<[string, readonly KubeObject[], RegExp]>([
    ['before anything is known', [], /0\/2 .*; waits for its Tailscale Service$/],
    ['before its nodes are in the tailnet', [record('group', { fqdn: undefined })], /a replica that is in the tailnet/],
    ['without a certificate', [record(), ...running(0), ...running(1)], /a certificate for group\.example\.ts\.net/],
    [
      'while the tailnet accepts nobody',
      [record(), issued(), ...running(0, { advertised: ['svc:group'], accepted: [] })],
      /group-0 to be accepted as a host/,
    ],
  ])('%s, says why it is not ready', (_when, objects, message) => {
    const { conditions, status, lack } = told(...objects)
    expect(conditions[1]).toMatch(/^KubeAPIServerProxyNoBackends: /)
    expect(conditions[1]).toMatch(message)
    expect(status).toBeUndefined()
    expect(lack).toMatch(message)
  })

  it('has the URL of the old name until the new one is served, and says so', () => {
    const renamed = api({ kubeAPIServer: { hostname: 'k8s' } })
    const both = [renamed, record(), issued(), record('k8s')]
    const waits = '1/2 proxy backends ready and advertising svc:group; waits for '
    const before = told(...both, ...serving)
    expect(before.conditions[1]).toBe(
      `KubeAPIServerProxyConfigured: ${waits}a certificate for k8s.example.ts.net: group-0 requests it once the tailnet has HTTPS certificates and accepts it as a host of svc:k8s, by autoApprovers.services of the tailnet’s policy, or in the admin console; its log says what it waits for`,
    )
    expect(before.status).toEqual({ url: 'https://group.example.ts.net' })
    expect(before.lack).toMatch(waits)
    const after = told(...both, issued('k8s'), ...running(0, { advertised: ['svc:group', 'svc:k8s'] }))
    expect(after.conditions[1]).toMatch(
      /^KubeAPIServerProxyConfigured: 1\/2 proxy backends ready and advertising; waits/,
    )
    expect(after).toMatchObject({ status: { url: 'https://k8s.example.ts.net' }, lack: undefined })
  })

  it('says who else has the name', () => {
    const why = 'svc:group belongs to somebody else'
    expect(told(record('group', { refused: why, fqdn: undefined })).conditions).toEqual([
      `KubeAPIServerProxyInvalid: ${why}`,
      `KubeAPIServerProxyNoBackends: ${why}`,
    ])
    const renamed = api({ kubeAPIServer: { hostname: 'k8s' } })
    expect(told(renamed, record('group', { refused: why })).conditions[0]).toMatch(/^KubeAPIServerProxyValid/)
    expect(told(recordFor('ingress', 'group')).conditions[0]).toBe(
      'KubeAPIServerProxyInvalid: svc:group is that of an object that is gone',
    )
  })
})

it('the group asks the tailnet for its name, for itself alone, with its tags', () => {
  const ask = (spec: object) => requestOf(api(spec), worldOf(), settings).wish
  const resource = { kind: 'ProxyGroup', name: 'group', uid: 'uid-group' }
  expect(ask({})).toEqual({ name: 'svc:group', ports: ['tcp:443'], tags: ['tag:k8s'], resource })
  expect(ask({ tags: ['tag:api'], kubeAPIServer: { hostname: 'k8s' } })).toMatchObject({
    name: 'svc:k8s',
    tags: ['tag:api'],
  })
  expect(finalizerFor(api())).toBe('tailscale.com/kube-apiserver-finalizer')
  expect(isOurFinalizer('tailscale.com/kube-apiserver-finalizer')).toBe(true)
})
