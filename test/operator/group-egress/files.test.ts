import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { egressFiles, entriesOf, mountedOf, roomBytes } from '../../../operator/group-egress/files.ts'
import type { EgressEntry } from '../../../wire/egress-services.ts'
import { unpack } from '../../../wire/packed.ts'
import { service, settings, worldOf } from '../a-world.ts'
import { inCluster } from './a-group.ts'

const culvert = { replicas: 3, agent: 'culvert' } as const

const entry = (index: number): EgressEntry => ({
  name: `apps-s${index}`,
  tailnetTarget: { ip: '', fqdn: `${createHash('sha256').update(String(index)).digest('hex').slice(0, 60)}.ts.net` },
  ports: [{ protocol: 'tcp', matchPort: 10_000 + index, targetPort: 80 }],
  healthCheckEndpoint: 'http://x:9002/healthz',
})
const entries = (count: number) => Array.from({ length: count }, (_, index) => entry(index))

const textOf = (files: ReturnType<typeof egressFiles>): string =>
  unpack(Buffer.from(files['egress-services'] as Uint8Array)).toString()
const names = (files: ReturnType<typeof egressFiles>): string[] => Object.keys(JSON.parse(textOf(files)) as object)

describe('the files of a group', () => {
  it('have the entry of each ClusterIP Service, as both agents read it', () => {
    const world = worldOf(
      inCluster({ parent: { namespace: 'apps', name: 'b' }, ports: { 5432: 10_001, 80: 10_002 } }),
      inCluster({ parent: { namespace: 'apps', name: 'a' }, target: { ip: '100.64.0.9', fqdn: '' } }),
      inCluster({ parent: { namespace: 'apps', name: 'c' }, group: 'other' }),
    )
    expect(egressFiles(entriesOf(world, 'eg', settings), { replicas: 2, agent: 'upstream' })).toEqual({
      'hep-pings': '6',
      'egress-services':
        '{"apps-a":{"healthCheckEndpoint":"http://ts-a-abcde.tailscale.svc.cluster.local:9002/healthz",' +
        '"tailnetTarget":{"ip":"100.64.0.9","fqdn":""},"ports":[{"protocol":"TCP","matchPort":10000,"targetPort":5432}]},' +
        '"apps-b":{"healthCheckEndpoint":"http://ts-b-abcde.tailscale.svc.cluster.local:9002/healthz",' +
        '"tailnetTarget":{"ip":"","fqdn":"db.lab.ts.net"},"ports":[{"protocol":"TCP","matchPort":10002,"targetPort":80},' +
        '{"protocol":"TCP","matchPort":10001,"targetPort":5432}]}}',
    })
  })

  it('are empty documents for a group without Services', () => {
    expect(egressFiles([], culvert)).toEqual({ 'hep-pings': '9', 'egress-services': '{}' })
  })

  it('have the target from the user’s Service, where Tailscale’s operator made the ClusterIP Service', () => {
    const { metadata, ...made } = inCluster()
    const theirs = { ...made, metadata: { ...metadata, annotations: {} } }
    const user = service('db', {}, { annotations: { 'tailscale.com/tailnet-fqdn': 'x.lab.ts.net' } })
    expect(entriesOf(worldOf(theirs, user), 'eg', settings)).toMatchObject([
      { name: 'apps-db', tailnetTarget: { ip: '', fqdn: 'x.lab.ts.net' } },
    ])
    expect(entriesOf(worldOf(theirs), 'eg', settings)).toEqual([])
  })

  it('do not have what is being deleted', () => {
    const { metadata, ...made } = inCluster()
    expect(
      entriesOf(worldOf({ ...made, metadata: { ...metadata, deletionTimestamp: 'now' } }), 'eg', settings),
    ).toEqual([])
  })

  it('are compressed when they are large, but never for Tailscale’s agent', () => {
    expect(egressFiles(entries(100), culvert)['egress-services']).toBeTypeOf('string')
    const large = egressFiles(entries(3000), culvert)
    expect(large['egress-services']).toBeInstanceOf(Uint8Array)
    expect(names(large)).toHaveLength(3000)
    expect(egressFiles(entries(3000), { ...culvert, agent: 'upstream' })['egress-services']).toBeTypeOf('string')
  })

  it('leave out the newest of those for which there is no room', () => {
    const all = entries(20_000).map((one) => ({
      ...one,
      healthCheckEndpoint: `http://${one.tailnetTarget.fqdn}/healthz`,
    }))
    const files = egressFiles(all, culvert)
    const size = Buffer.byteLength(files['egress-services']!)
    expect(size).toBeLessThanOrEqual(roomBytes)
    expect(size).toBeGreaterThan(roomBytes * 0.85)
    const kept = new Set(names(files))
    expect(kept.size).toBeGreaterThan(5000)
    expect(all.slice(0, kept.size).every(({ name }) => kept.has(name))).toBe(true)
  })
})

describe('what a ConfigMap has', () => {
  const configMap = (binaryData: Readonly<Record<string, string>> | undefined) =>
    worldOf({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'eg-egress-config', namespace: 'tailscale' },
      binaryData,
    })
  const encoded = (file: string | Uint8Array): string => Buffer.from(file as Uint8Array).toString('base64')

  it.each([
    ['plain', 10],
    ['compressed', 3000],
  ])('is read, %s', (_what, count) => {
    const file = encoded(egressFiles(entries(count), culvert)['egress-services']!)
    const { entries: read } = mountedOf(configMap({ 'egress-services': file }), 'tailscale', 'eg')
    expect([...read.keys()]).toHaveLength(count)
  })

  it.each([
    ['no ConfigMap', worldOf()],
    ['no files', configMap(undefined)],
    ['a file that others have damaged', configMap({ 'egress-services': encoded('x') })],
  ])('is nothing with %s', (_what, world) => {
    expect(mountedOf(world, 'tailscale', 'eg')).toEqual({ entries: new Map(), bytes: 0 })
  })
})
