import { expect, it } from 'vitest'
import { isExposed } from '../../../operator/objects/exposed.ts'

const clusterIP = '10.96.0.9'
const expose = { 'tailscale.com/expose': 'true' }

it.each([
  ['a Service with the annotation', { clusterIP }, expose, true],
  ['a headless one', { clusterIP: 'None' }, expose, true],
  ['one without addresses yet', { clusterIP: '' }, expose, false],
  ['one with another text', { clusterIP }, { 'tailscale.com/expose': 'yes' }, false],
  ['a load balancer of the class', { clusterIP, type: 'LoadBalancer', loadBalancerClass: 'tailscale' }, {}, true],
  ['one of another class', { clusterIP, type: 'LoadBalancer', loadBalancerClass: 'other' }, {}, false],
  ['one without class', { clusterIP, type: 'LoadBalancer' }, {}, false],
  ['another name', { type: 'ExternalName', externalName: 'a.example.com' }, expose, true],
  ['another name without the annotation', { type: 'ExternalName', externalName: 'a.example.com' }, {}, false],
  ['the name of a proxy of egress', { type: 'ExternalName' }, { ...expose, 'culvert/before-egress': '{}' }, false],
  ['one of a group', { clusterIP }, { ...expose, 'tailscale.com/proxy-group': 'group' }, false],
])('%s', (_what, spec, annotations, expected) => {
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a', namespace: 'ns', annotations }, spec }
  expect(isExposed(service, { isDefaultLoadBalancer: false })).toBe(expected)
})
