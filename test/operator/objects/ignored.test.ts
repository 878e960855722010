import { expect, test } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { annotationEvents, egressUse, exposedUse, groupEgressUse } from '../../../operator/objects/ignored.ts'

const annotated = (annotations: Record<string, string>, kind = 'Service'): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name: 'a', namespace: 'ns', annotations },
})

test.each([
  [{ 'culvert/unpriviledged': 'true' }, 'Service', 'did you mean culvert/unprivileged?'],
  [{ 'culvert/something-else': '1' }, 'Service', 'there is no annotation "culvert/something-else"'],
  [{ 'tailscale.com/exposed': 'true' }, 'Service', 'did you mean tailscale.com/expose?'],
  [{ 'tailscale.com/tailnet-fdqn': 'db.example.ts.net' }, 'Service', 'did you mean tailscale.com/tailnet-fqdn?'],
  [{ 'tailscale.com/proxyclass': 'a' }, 'Ingress', 'did you mean tailscale.com/proxy-class?'],
  [{ 'tailscale.com/unprivileged': 'true' }, 'Service', 'did you mean culvert/unprivileged?'],
  [{ 'culvert/expose': 'true' }, 'Service', 'did you mean tailscale.com/expose?'],
  [
    { 'culvert/backend-protocol': 'HTTP' },
    'Service',
    'has no effect on Service objects: it is for Ingress. Remove it.',
  ],
  [{ 'tailscale.com/funnel': 'true' }, 'Service', 'has no effect on Service objects: it is for Ingress. Remove it.'],
  [{ 'culvert/agent': 'upstream' }, 'Service', 'it is for ProxyClass'],
  [{ 'tailscale.com/expose': 'true' }, 'Ingress', 'An Ingress is exposed by spec.ingressClassName.'],
  [{ 'tailscale.com/hostname': 'web' }, 'Ingress', 'The name of an Ingress is the first host in spec.tls.'],
  [{ 'tailscale.com/expose': 'yes' }, 'Service', 'only "true" turns it on, not "yes"'],
  [{ 'tailscale.com/expose': 'True' }, 'Service', 'only "true" turns it on, not "True"'],
  [{ 'tailscale.com/http-endpoint': 'true' }, 'Ingress', 'only "enabled" turns it on, not "true"'],
])('%j on %s has no effect, which is told with the remedy', (annotations, kind, message) => {
  expect(annotationEvents(annotated(annotations, kind))).toEqual([
    { type: 'Warning', reason: 'AnnotationIgnored', message: expect.stringContaining(message) },
  ])
})

test.each([
  [{ 'tailscale.com/tailnet-fqdn': 'db.example.ts.net' }, exposedUse, 'since the Service is exposed to the tailnet'],
  [{ 'tailscale.com/tailnet-ip': '100.64.0.9' }, exposedUse, 'use another Service for that'],
  [{ 'culvert/allow-from': '*' }, exposedUse, 'since the Service is exposed to the tailnet'],
  [{ 'tailscale.com/expose': 'true' }, egressUse, 'since the Service leads to a target in the tailnet'],
  [{ 'culvert/proxy-protocol': '2' }, egressUse, 'to expose something, use another Service'],
  [{ 'tailscale.com/hostname': 'db' }, groupEgressUse, 'since a ProxyGroup serves it'],
])('%j has no effect in another use of the Service', (annotations, use, message) => {
  expect(annotationEvents(annotated(annotations), use)).toEqual([
    { type: 'Warning', reason: 'AnnotationIgnored', message: expect.stringContaining(message) },
  ])
  expect(annotationEvents(annotated(annotations))).toEqual([])
})

test('thousands of them are not all looked at, and not all told of', () => {
  const many = (prefix: string) =>
    Object.fromEntries(Array.from({ length: 20_000 }, (_, at) => [`${prefix}x${at}`, '']))
  expect(annotationEvents(annotated(many('culvert/')))).toHaveLength(10)
  expect(annotationEvents(annotated(many('tailscale.com/')))).toEqual([])
})

test('what is right is not told of, what is switched off neither, nor what belongs to others', () => {
  const fine = { 'tailscale.com/expose': 'false', 'culvert/proxy-protocol': '1', 'culvert/before-egress': '{}' }
  const others = { 'example.com/x': 'y', 'example.com/exposed': 'true', 'tailscale.com/something': 'z' }
  expect(annotationEvents(annotated({ ...fine, ...others }), { ...egressUse, ignores: ['expose'] })).toEqual([])
})
