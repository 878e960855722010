import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import type { Refused } from '../../../operator/kind.ts'
import { reportOf } from '../../../operator/group-ingress/report.ts'
import { settings, worldOf } from '../a-world.ts'
import { app, certificate, db, endpoints, mapping, proxyGroup, recordFor, replica, secret, site } from './a-group.ts'

const report = (object: KubeObject, others: readonly KubeObject[], refused?: Refused) =>
  reportOf(object, refused, worldOf(object, proxyGroup('group'), ...others), settings)
const messageOf = (type: string, { conditions }: ReturnType<typeof report>) => {
  const found = conditions.find((one) => one.type === type)
  return found && `${found.status} ${found.reason}: ${found.message}`
}
const configured = 'TailscaleIngressSvcConfigured'
const valid = 'TailscaleIngressSvcValid'

describe('a Service', () => {
  const balancer = db({}, { type: 'LoadBalancer', loadBalancerClass: 'tailscale' })
  const known = [recordFor('svc', 'db'), endpoints('db', true)]
  const serving = replica('group-0', { forwarded: { 'svc:db': mapping }, advertised: ['svc:db'] })

  it('has its name and addresses once a replica advertises it, and says how many do', () => {
    const told = report(balancer, [...known, ...serving])
    expect(told.status).toEqual({
      loadBalancer: { ingress: [{ hostname: 'db.example.ts.net', ip: '100.100.0.1' }, { ip: 'fd7a::1' }] },
    })
    expect(messageOf(configured, told)).toBe(
      'True IngressSvcConfigured: 1/2 proxy backends ready and advertising; waits for group-1 to run',
    )
    expect(messageOf(valid, told)).toMatch(/^True/)
  })

  it('has no addresses of a family that it does not have itself', () => {
    const v6 = db({}, { type: 'LoadBalancer', loadBalancerClass: 'tailscale', clusterIPs: ['fd96::7'] })
    expect(report(v6, [...known, ...serving]).status).toEqual({
      loadBalancer: { ingress: [{ hostname: 'db.example.ts.net', ip: 'fd7a::1' }] },
    })
  })

  it('does not count an earlier Pod', () => {
    const gone = replica('group-0', { forwarded: { 'svc:db': mapping }, advertised: ['svc:db'], podUid: 'earlier' })
    const told = report(balancer, [...known, ...gone])
    expect(told.status).toEqual({ loadBalancer: {} })
    expect(messageOf(configured, told)).toMatch(
      /^False IngressSvcNoBackendsConfigured: 0\/2 .* group-0, group-1 to run$/,
    )
  })

  it.each([
    ['has forwarded nothing yet', {}, /waits for group-0, group-1 to forward its packets$/],
    ['does not advertise it yet', { forwarded: { 'svc:db': mapping } }, /waits for group-0, group-1 to advertise it$/],
  ])('names the replica that %s', (_what, given, message) => {
    const all = [...known, ...replica('group-0', given), ...replica('group-1', given)]
    expect(messageOf(configured, report(db(), all))).toMatch(message)
  })

  it('is not served by a replica that the tailnet does not accept as a host', () => {
    const held = replica('group-0', { forwarded: { 'svc:db': mapping }, advertised: ['svc:db'], accepted: [] })
    const told = report(balancer, [...known, ...held])
    expect(told.status).toEqual({ loadBalancer: {} })
    expect(messageOf(configured, told)).toMatch(/^False .*group-0 to be accepted as a host, by autoApprovers\.services/)
    const accepted = replica('group-0', {
      forwarded: { 'svc:db': mapping },
      advertised: ['svc:db'],
      accepted: ['svc:db'],
    })
    expect(messageOf(configured, report(balancer, [...known, ...accepted]))).toMatch(/^True/)
  })

  it('says why what it asks for is refused, and what goes on meanwhile', () => {
    const refused = { as: 'invalid', reason: 'INVALIDSERVICE', message: 'bad tags' } as const
    const told = report(balancer, [...known, ...serving], refused)
    expect(messageOf(valid, told)).toBe('False IngressSvcInvalid: bad tags')
    expect(messageOf(configured, told)).toMatch(/^True .*; bad tags$/)
    expect(told.status).toMatchObject({ loadBalancer: { ingress: [{ hostname: 'db.example.ts.net' }, {}] } })
    expect(told.events).toEqual([{ type: 'Warning', reason: 'INVALIDSERVICE', message: 'bad tags' }])
  })

  it('does not know whether it is valid while there is no such group', () => {
    const refused = { as: 'pending', reason: 'ProxyGroupNotFound', message: 'there is none' } as const
    expect(messageOf(valid, report(balancer, [], refused))).toBe('Unknown ProxyGroupNotReady: there is none')
  })

  it('has no status of a LoadBalancer if it is none', () => {
    expect(report(db(), [...known, ...serving]).status).toEqual({})
  })
})

describe('an Ingress', () => {
  const known = [site, recordFor('ingress', 'app')]
  const serving = [
    ...replica('group-0', { advertised: ['svc:app'] }),
    ...replica('group-1', { advertised: ['svc:app'] }),
  ]
  const https = { port: 443, protocol: 'TCP' }
  const endpoint = app({}, { 'tailscale.com/http-endpoint': 'enabled' })

  it('has its name and port once a replica advertises it and there is a certificate', () => {
    const told = report(app(), [...known, ...serving, certificate('pem')])
    expect(told).toEqual({
      status: { loadBalancer: { ingress: [{ hostname: 'app.example.ts.net', ports: [https] }] } },
      conditions: [],
      events: [],
    })
    expect(report(app(), [...known, certificate('pem')]).status).toEqual({ loadBalancer: {} })
  })

  it('has port 80 alone until there is a certificate, and an Event that says so', () => {
    const told = report(endpoint, [...known, ...serving, certificate('')])
    const ports = [{ ...https, port: 80 }]
    expect(told.status).toEqual({ loadBalancer: { ingress: [{ hostname: 'app.example.ts.net', ports }] } })
    expect(told.events).toMatchObject([
      { reason: 'IngressNotServed', message: expect.stringContaining('a certificate') },
    ])
  })

  it('has the name and the ports of before until the one that it asks for is hosted, and an Event says so', () => {
    const parent = { type: 'ingress', namespace: 'apps', name: 'app' } as const
    const renamed = app({ tls: [{ hosts: ['new'] }] })
    const next = recordFor('ingress', 'new', { parent })
    const told = report(renamed, [...known, next, ...serving, certificate('pem')])
    const entry = { hostname: 'app.example.ts.net', ports: [https] }
    expect(told.status).toEqual({ loadBalancer: { ingress: [entry] } })
    const message = expect.stringMatching(
      /^as svc:app, while svc:new waits for a certificate for new\.example/,
    ) as string
    expect(told.events).toMatchObject([{ reason: 'IngressNotServed', message }])
    const now = ['group-0', 'group-1'].flatMap((name) => replica(name, { advertised: ['svc:app', 'svc:new'] }))
    const issued = secret('new.example.ts.net', { 'tls.crt': 'pem', 'tls.key': 'pem' })
    const after = report(renamed, [...known, next, issued, certificate('pem'), ...now])
    expect(after.status).toEqual({ loadBalancer: { ingress: [{ ...entry, hostname: 'new.example.ts.net' }] } })
    expect(after.events).toEqual([])
  })

  it('tells by an Event what it waits for', () => {
    const { events } = report(app(), [...known, ...replica('group-0'), certificate('')])
    expect(events).toMatchObject([
      { reason: 'IngressNotServed', message: expect.stringMatching(/^waits for a certificate/) },
    ])
  })
})
