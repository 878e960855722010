import { expect, it } from 'vitest'
import { readCaller } from '../../../apiserver/caller.ts'
import { eventOf } from '../../../apiserver/recording/event.ts'
import { parseAddress } from '../../../lib/address.ts'
import { aWhois } from '../a-whois.ts'

const address = parseAddress('100.64.0.7')!
const of = (method: string, target: string, whois: Parameters<typeof aWhois>[1] = {}, body = '') => {
  const caller = readCaller(aWhois(address.text, whois), address, new Date(0))
  const headers = [['User-Agent', 'kubectl/1'] as const]
  const text = eventOf({ method, target, headers }, Buffer.from(body), caller, new Date('2026-11-30T12:00:00.9Z'))
  return { text, event: JSON.parse(text) as Record<string, unknown> }
}

it('an event says who asked for what, with the body', () => {
  const { event } = of('PUT', '/apis/apps/v1/namespaces/n/deployments/d/scale?a=1&a=2&b=', {}, 'body')
  expect(event).toEqual({
    type: 'kubernetes-api-request',
    id: '',
    timestamp: 1796040000,
    userAgent: 'kubectl/1',
    request: {
      method: 'PUT',
      path: '/apis/apps/v1/namespaces/n/deployments/d/scale?a=1&a=2&b=',
      body: Buffer.from('body').toString('base64'),
      queryParameters: { a: ['1', '2'], b: [''] },
    },
    kubernetes: {
      IsResourceRequest: true,
      Path: '/apis/apps/v1/namespaces/n/deployments/d/scale',
      Verb: 'update',
      APIPrefix: 'apis',
      APIGroup: 'apps',
      APIVersion: 'v1',
      Namespace: 'n',
      Resource: 'deployments',
      Subresource: 'scale',
      Name: 'd',
      Parts: ['deployments', 'd', 'scale'],
      FieldSelector: '',
      LabelSelector: '',
    },
    source: { node: 'laptop.lab.ts.net', nodeID: 'nLaptop', nodeUser: 'alice@example.com', nodeUserID: 1 },
    destination: { node: '', nodeID: '' },
  })
})

it.each<[string, string, object]>([
  ['GET', '/version?fieldSelector=x', { IsResourceRequest: false, Verb: 'get', Path: '/version', FieldSelector: '' }],
  [
    'GET',
    '/api/v1/pods?fieldSelector=metadata.name%3Da,b%3Dc&labelSelector=x',
    {
      Verb: 'list',
      Name: 'a',
      FieldSelector: 'metadata.name=a,b=c',
      LabelSelector: 'x',
      APIPrefix: 'api',
      APIGroup: '',
    },
  ],
  ['GET', '/api/v1/namespaces/n/pods/p?labelSelector=x', { Verb: 'get', Name: 'p', LabelSelector: '' }],
  ['GET', '/api/v1/namespaces/n', { Namespace: 'n', Resource: 'namespaces', Name: 'n', Parts: ['namespaces', 'n'] }],
  ['GET', '/api/v1/nodes/n/proxy/a/b', { Subresource: 'proxy', Parts: ['nodes', 'n', 'proxy', 'a', 'b'] }],
])('%s %s, as Kubernetes understands it', (method, target, its) => {
  expect(of(method, target).event).toMatchObject({ kubernetes: its })
})

it('a device with tags has these, and no user', () => {
  const { event } = of('GET', '/api', { node: { Tags: ['tag:ci'] } })
  expect(event['source']).toEqual({ node: 'laptop.lab.ts.net', nodeID: 'nLaptop', nodeTags: ['tag:ci'] })
})

it('the number of a user is exact, also if a number of JavaScript is not', () => {
  const whois = aWhois(address.text).replace('"UserProfile":{"ID":1,', '"UserProfile":{"ID":30585448562688899,')
  const caller = readCaller(whois, address, new Date(0))
  const text = eventOf({ method: 'GET', target: '/api', headers: [] }, Buffer.alloc(0), caller, new Date(0))
  expect(text).toContain('"nodeUserID":30585448562688899')
})
