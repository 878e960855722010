import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { restore, rewrite } from '../../../operator/l3-egress/rewrite.ts'
import { services } from '../../../operator/objects/resources.ts'
import { ApiBed, never } from '../../kube/controller/api-bed.ts'
import { type Bed, startBed } from '../../lab/bed.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'

let bed: Bed
let real: ApiBed
beforeAll(async () => {
  bed = await startBed({ hosts: {}, cluster: { nodes: 0 } })
  real = await ApiBed.start(bed)
})
afterAll(async () => {
  await real[Symbol.asyncDispose]()
  await bed.down()
})
beforeEach(() => printLogsOnFailure(bed))

const place = { namespace: 'tailscale', clusterDomain: 'cluster.local' }
const ports = [{ name: 'db', port: 5432, protocol: 'TCP', targetPort: 5432 }]

const patched = (service: KubeObject, body: unknown): Promise<KubeObject> =>
  real.direct.patch(services, service.metadata, { type: 'merge', body, manager: 'test' }, never)

/** What the cluster chooses anew each time. */
const withoutAddresses = ({ spec }: KubeObject): unknown =>
  JSON.parse(JSON.stringify(spec), (name, value: unknown) => (chosen.has(name) && value !== 'None' ? undefined : value))
const chosen = new Set(['clusterIP', 'clusterIPs', 'nodePort', 'healthCheckNodePort'])

test.each([
  ['selector', { selector: { app: 'db' }, ports }],
  ['headless', { clusterIP: 'None', selector: { app: 'db' }, ports }],
  ['headless-without-ports', { clusterIP: 'None' }],
  ['one-family', { ipFamilies: ['IPv6'], ipFamilyPolicy: 'SingleStack', selector: { app: 'db' }, ports }],
  [
    'both-families',
    { ipFamilies: ['IPv6', 'IPv4'], ipFamilyPolicy: 'RequireDualStack', selector: { app: 'db' }, ports },
  ],
  ['local', { internalTrafficPolicy: 'Local', sessionAffinity: 'ClientIP', selector: { app: 'db' }, ports }],
  ['node-port', { type: 'NodePort', externalTrafficPolicy: 'Local', selector: { app: 'db' }, ports }],
  [
    'load-balancer',
    {
      type: 'LoadBalancer',
      loadBalancerClass: 'x/y',
      loadBalancerSourceRanges: ['10.0.0.0/8'],
      selector: { app: 'db' },
      ports,
    },
  ],
  ['no-node-ports', { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false, selector: { app: 'db' }, ports }],
  ['other-name', { type: 'ExternalName', externalName: 'placeholder' }],
  ['other-name-with-ports', { type: 'ExternalName', externalName: 'a.example.com', ports }],
])('the API lets a Service become a name of a proxy, and what it was: %s', async (name, spec) => {
  const metadata = { name, namespace: 'default' }
  const before = await real.direct.create(services, { apiVersion: 'v1', kind: 'Service', metadata, spec }, never)
  const during = await patched(before, rewrite(before, 'ts-db-abcde', place))
  expect(during.spec).toMatchObject({ type: 'ExternalName', externalName: 'ts-db-abcde.tailscale.svc.cluster.local' })
  expect(during.spec).not.toHaveProperty('selector')
  expect(during.spec).not.toHaveProperty('clusterIP')
  expect(await patched(during, rewrite(during, 'ts-db-abcde', place))).toEqual(during)

  const after = await patched(during, restore(during, place))
  expect(withoutAddresses(after)).toEqual(withoutAddresses(before))
  expect(after.metadata.annotations).toBeUndefined()
})

test('a manifest of type ClusterIP is applied over it as to any other Service', async () => {
  const manifest = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'applied', namespace: 'default' },
    spec: { type: 'ClusterIP', selector: { app: 'db' }, ports },
  }
  await bed.cluster.apply(manifest)
  const before = (await real.direct.get(services, manifest.metadata, never))!
  await patched(before, rewrite(before, 'ts-db-abcde', place))
  await bed.cluster.apply(manifest)
  const after = (await real.direct.get(services, manifest.metadata, never))!
  expect(after.spec).toMatchObject({ type: 'ClusterIP', selector: { app: 'db' } })

  const released = await patched(after, restore(after, place))
  expect(withoutAddresses(released)).toEqual(withoutAddresses(before))
  expect(released.metadata.annotations?.['culvert/before-egress']).toBeUndefined()
})
