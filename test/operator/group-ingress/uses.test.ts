import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { ingressUse } from '../../../operator/group-ingress/ingress-use.ts'
import { givenUp, recordObject, readRecord } from '../../../operator/group-ingress/record.ts'
import { settings } from '../a-world.ts'
import { usesOf } from '../../../operator/group-ingress/uses-of.ts'
import {
  app,
  certificate,
  db,
  endpoints,
  filesObject,
  mapping,
  recordFor,
  replica,
  secret,
  site,
  viewOf,
} from './a-group.ts'

const filesOf = (...objects: readonly KubeObject[]) => {
  const files = ingressUse.files(viewOf(...objects))
  const read = (name: string): unknown => JSON.parse(String(files[name]))
  return { sites: read('serve-config.json'), mappings: read('ingress-config.json') }
}
const advertisedBy = (ordinal: number, ...objects: readonly KubeObject[]): unknown =>
  ingressUse.device?.(viewOf(...objects), ordinal)['AdvertiseServices']
const condition = (...objects: readonly KubeObject[]) => ingressUse.report?.(viewOf(...objects)).conditions[0]

const handlers = { Handlers: { '/': { Proxy: 'http://10.96.0.9:80/' } } }
const recorded = [app(), site, recordFor('ingress', 'app')]
const served = [...recorded, certificate('pem')]
const exposed = [db(), recordFor('svc', 'db'), endpoints('db', true)]
const forwarding = { forwarded: { 'svc:db': mapping } }
const annotated = (more: object): readonly KubeObject[] => [app({}, more), site, recordFor('ingress', 'app')]

describe('the files of a group', () => {
  it('are there before anything uses it', () => {
    expect(filesOf()).toEqual({ sites: {}, mappings: {} })
  })

  it('have the sites of Ingresses under their full names, and the mappings of Services', () => {
    expect(filesOf(...recorded, ...exposed)).toEqual({
      sites: {
        Services: { 'svc:app': { TCP: { 443: { HTTPS: true } }, Web: { 'app.example.ts.net:443': handlers } } },
      },
      mappings: { 'svc:db': mapping },
    })
  })

  it('have port 80 with the same handlers, or with the redirect, of which the first counts', () => {
    const both = { 'tailscale.com/http-endpoint': 'enabled', 'tailscale.com/http-redirect': 'true' }
    const on80 = (sites: unknown) => (sites as { Services: { 'svc:app': { Web: object } } }).Services['svc:app'].Web
    expect(on80(filesOf(...annotated(both)).sites)).toMatchObject({ 'app.example.ts.net:80': handlers })
    const { sites } = filesOf(...annotated({ 'tailscale.com/http-redirect': 'true' }))
    expect(sites).toMatchObject({ Services: { 'svc:app': { TCP: { 80: { HTTP: true } } } } })
    expect(JSON.stringify(on80(sites))).toContain('301:https://${HOST}${REQUEST_URI}')
  })

  it('have rules whose host is the full name', () => {
    const rules = [
      {
        host: 'app.example.ts.net',
        http: { paths: [{ path: '/a', backend: { service: { name: 'site', port: { number: 80 } } } }] },
      },
      {
        host: 'other.example.ts.net',
        http: { paths: [{ path: '/b', backend: { service: { name: 'site', port: { number: 80 } } } }] },
      },
    ]
    const text = JSON.stringify(filesOf(app({ rules }), site, recordFor('ingress', 'app')).sites)
    expect(text).toContain('"/a"')
    expect(text).not.toContain('"/b"')
  })

  it('have only the families that a Service has, and an empty address for one that the tailnet lacks', () => {
    const v4 = db({}, { clusterIPs: ['10.96.0.7'] })
    expect(filesOf(v4, recordFor('svc', 'db')).mappings).toEqual({ 'svc:db': { IPv4Mapping: mapping.IPv4Mapping } })
    const { mappings } = filesOf(db(), recordFor('svc', 'db', { addresses: ['100.100.0.1'] }))
    expect(mappings).toEqual({
      'svc:db': { ...mapping, IPv6Mapping: { TailscaleServiceIP: '', ClusterIP: 'fd96::7' } },
    })
  })

  it('keep an object that is leaving until its record goes', () => {
    const leaving = { deletionTimestamp: '2026-01-01T00:00:00Z' }
    const all = [db({}, {}, leaving), recordFor('svc', 'db'), endpoints('db', true)]
    expect(filesOf(...all).mappings).toEqual({ 'svc:db': mapping })
    expect(advertisedBy(0, ...all, ...replica('group-0', forwarding))).toBeUndefined()
  })

  it('keep what was served of an Ingress that has become invalid', () => {
    const config = filesObject({ 'serve-config.json': { Services: { 'svc:app': { TCP: { 443: { HTTPS: true } } } } } })
    const { sites } = filesOf(config, ...annotated({ 'culvert/backend-protocol': 'nonsense' }))
    expect(sites).toEqual({ Services: { 'svc:app': { TCP: { 443: { HTTPS: true } } } } })
  })

  it.each([
    ['x', 20_000],
    ['字', 2500],
  ])('leave out the youngest when not all have room, in bytes: %s', (character, length) => {
    const long = character.repeat(length)
    const many: readonly KubeObject[] = Array.from({ length: 40 }, (_, index) => {
      const paths = [{ path: `/${long}`, backend: { service: { name: 'site', port: { number: 80 } } } }]
      const name = `app${String(index).padStart(2, '0')}`
      const one = app({ tls: [{ hosts: [name] }], rules: [{ http: { paths } }] })
      const metadata = { ...one.metadata, name, uid: name, creationTimestamp: `2026-01-01T00:00:${10 + index}Z` }
      return [{ ...one, metadata }, recordFor('ingress', name)]
    }).flat()
    const { sites } = filesOf(site, ...many)
    const namesIn = (all: unknown) => Object.keys((all as { Services: object }).Services)
    const names = namesIn(sites)
    expect(names.length).toBeGreaterThan(10)
    expect(names.length).toBeLessThan(40)
    expect(names[0]).toBe('svc:app00')
    expect(Buffer.byteLength(JSON.stringify(sites))).toBeLessThan(720_000)
    expect(usesOf(viewOf(site, ...many)).at(-1)?.lack).toContain('room in the group')
    // What is served stays, whatever comes that is older, and whatever grows.
    const present = filesObject({ 'serve-config.json': sites as object })
    const grown = many.map((one): KubeObject => {
      if (one.metadata.name !== 'app00') return one
      const paths = [
        { path: `/${long}${long.slice(length / 2)}`, backend: { service: { name: 'site', port: { number: 80 } } } },
      ]
      return { ...one, spec: { ...(one['spec'] as object), rules: [{ http: { paths } }] } }
    })
    const old = many.map((one) => {
      if (one.metadata.name !== 'app39') return one
      return { ...one, metadata: { ...one.metadata, creationTimestamp: '2025-01-01T00:00:00Z' } }
    })
    for (const all of [grown, old]) expect(filesOf(present, site, ...all).sites).toEqual(sites)
    const told = usesOf(viewOf(present, site, ...grown)).find(({ service }) => service === 'svc:app00')
    expect([told?.lack, told?.partly]).toEqual([
      'a certificate for app00.example.ts.net: group-0, which requests it, does not run',
      expect.stringContaining('room in the group'),
    ])
  })
})

describe('a replica advertises', () => {
  it('an Ingress once it has a certificate', () => {
    expect(advertisedBy(0, ...recorded, certificate(''))).toBeUndefined()
    expect(advertisedBy(0, ...served)).toEqual(['svc:app'])
    expect(advertisedBy(1, ...served)).toEqual(['svc:app'])
  })

  it('an Ingress with port 80 without a certificate', () => {
    expect(advertisedBy(0, ...annotated({ 'tailscale.com/http-endpoint': 'enabled' }))).toEqual(['svc:app'])
    expect(advertisedBy(0, ...annotated({ 'tailscale.com/http-redirect': 'true' }))).toEqual(['svc:app'])
  })

  it('no Ingress without a backend, whose clients another cluster could serve', () => {
    expect(advertisedBy(0, app(), recordFor('ingress', 'app'), certificate('pem'))).toBeUndefined()
  })

  it('a Service once this very replica forwards its packets, and while it has an endpoint', () => {
    const running = [...replica('group-0', forwarding), ...replica('group-1')]
    expect(advertisedBy(0, ...exposed, ...running)).toEqual(['svc:db'])
    expect(advertisedBy(1, ...exposed, ...running)).toBeUndefined()
    const idle = [db(), recordFor('svc', 'db'), endpoints('db', false)]
    expect(advertisedBy(0, ...idle, ...running)).toBeUndefined()
  })

  it('no Service that it forwards to an earlier address, or whose packets an earlier Pod forwarded', () => {
    const old = { 'svc:db': { IPv4Mapping: { ...mapping.IPv4Mapping, ClusterIP: '10.96.0.8' } } }
    expect(advertisedBy(0, ...exposed, ...replica('group-0', { forwarded: old }))).toBeUndefined()
    const [pod, ...rest] = replica('group-0', forwarding)
    const moved = { ...pod!, status: { podIPs: [{ ip: '10.88.0.2' }] } }
    expect(advertisedBy(0, ...exposed, moved, ...rest)).toBeUndefined()
  })

  it('nothing that belongs to somebody else by now', () => {
    const lost = recordFor('ingress', 'app', { refused: 'svc:app was not made by an operator' })
    expect(advertisedBy(0, app(), site, lost, certificate('pem'))).toBeUndefined()
  })

  it('what moves to another group until that one has taken it over', () => {
    const moving = recordFor('ingress', 'app', { group: 'other', former: ['group'] })
    expect(advertisedBy(0, app(), site, moving, certificate('pem'))).toEqual(['svc:app'])
    const moved = recordFor('ingress', 'app', { group: 'other' })
    expect(advertisedBy(0, app(), site, moved, certificate('pem'))).toBeUndefined()
  })

  it('nothing that other groups have taken over, whose clients it goes on serving for a while', () => {
    const left = [db(), recordFor('svc', 'db', { group: 'other', leaving: ['group'] }), endpoints('db', true)]
    const running = replica('group-0', forwarding)
    expect(filesOf(...left).mappings).toEqual({ 'svc:db': mapping })
    expect(advertisedBy(0, ...left, ...running)).toBeUndefined()
    expect(condition(...left, ...running)).toMatchObject({ status: 'True', message: 'nothing uses the group' })
  })

  it('a site that comes from another group once the tailnet accepts the replica, which then has the certificate', () => {
    const arriving = recordFor('ingress', 'app', { former: ['other'] })
    const all = [app(), site, arriving, certificate('pem')]
    expect(advertisedBy(0, ...all, ...replica('group-0', { accepted: [] }))).toBeUndefined()
    expect(advertisedBy(0, ...all, ...replica('group-0', { accepted: ['svc:app'] }))).toEqual(['svc:app'])
    // Another agent does not tell.
    expect(advertisedBy(0, ...all, ...replica('group-0'))).toEqual(['svc:app'])
  })

  it('the earlier name of an object, beside the one that it asks for now, until that works', () => {
    const host = 'new.example.ts.net'
    const paths = [{ path: '/', backend: { service: { name: 'site', port: { number: 80 } } } }]
    const renamed = app({ tls: [{ hosts: [host] }], rules: [{ host, http: { paths } }], defaultBackend: undefined })
    const before = [renamed, site, recordFor('ingress', 'app'), certificate('pem')]
    expect(advertisedBy(0, ...before)).toEqual(['svc:app'])
    const parent = { type: 'ingress', namespace: 'apps', name: 'app' } as const
    const after = [...before, recordFor('ingress', 'new', { parent })]
    expect(advertisedBy(0, ...after)).toEqual(['svc:app'])
    const issued = [...after, secret(host, { 'tls.crt': 'pem', 'tls.key': 'pem' })]
    expect(advertisedBy(0, ...issued)).toEqual(['svc:app', 'svc:new'])
    const { sites } = filesOf(...issued)
    expect(sites).toMatchObject({
      Services: {
        'svc:app': { Web: { 'app.example.ts.net:443': handlers } },
        'svc:new': { Web: { 'new.example.ts.net:443': handlers } },
      },
    })
    const given = [recordObject(givenUp(readRecord(recordFor('ingress', 'app'))!), settings.namespace)]
    const left = issued.map((one) => given.find(({ metadata }) => metadata.name === one.metadata.name) ?? one)
    expect(advertisedBy(0, ...left)).toEqual(['svc:new'])
    expect(filesOf(...left).sites).toEqual(sites)
    expect(condition(...left)?.message).not.toContain('svc:app')
  })

  it('what another operator has had it advertise, until this one has provided for that', () => {
    const config = filesObject({ 'ingress-config.json': { 'svc:db': mapping, 'svc:gone': mapping } })
    const theirs = db({}, {}, { finalizers: ['group.tailscale.com/service-pg-finalizer'] })
    const all = [config, theirs, ...replica('group-0', { configured: ['svc:db', 'svc:gone'] })]
    expect(filesOf(...all).mappings).toEqual({ 'svc:db': mapping })
    expect(advertisedBy(0, ...all)).toEqual(['svc:db'])
  })
})
