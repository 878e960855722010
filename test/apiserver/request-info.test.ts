import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { requestInfo } from '../../apiserver/request-info.ts'

it.each<[string, string, verb: string, resource?: string]>([
  ['GET', '/version', 'get'],
  ['POST', '/healthz', 'post'],
  ['GET', '/api', 'get'],
  ['GET', '/api/v1', 'get'],
  ['GET', '/apis/apps/v1', 'get'],
  ['GET', '/api/v1/pods', 'list', ' pods  '],
  ['HEAD', '/api/v1/pods', 'list', ' pods  '],
  ['GET', '/api/v1/pods?watch=true', 'watch', ' pods  '],
  ['GET', '/api/v1/pods?watch=1&labelSelector=a', 'watch', ' pods  '],
  ['GET', '/api/v1/pods?watch=false', 'list', ' pods  '],
  ['GET', '/api/v1/watch/namespaces/a/pods', 'watch', ' pods a '],
  ['GET', '/api/v1/namespaces/a/pods/b', 'get', ' pods a b'],
  ['GET', '/api/v1/namespaces/a/pods/b/log?follow=true', 'get', ' pods/log a b'],
  ['POST', '/api/v1/namespaces/a/pods/b/exec?command=secret', 'create', ' pods/exec a b'],
  ['POST', '/api/v1/namespaces/a/pods/b/eviction', 'create', ' pods/eviction a b'],
  ['GET', '/api/v1/namespaces', 'list', ' namespaces  '],
  ['GET', '/api/v1/namespaces/a', 'get', ' namespaces a a'],
  ['PUT', '/api/v1/namespaces/a/finalize', 'update', ' namespaces/finalize a a'],
  ['PATCH', '/apis/apps/v1/namespaces/a/deployments/b', 'patch', 'apps deployments a b'],
  ['PUT', '/apis/apps/v1/namespaces/a/deployments/b/scale', 'update', 'apps deployments/scale a b'],
  ['DELETE', '/apis/apps/v1/namespaces/a/deployments', 'deletecollection', 'apps deployments a '],
  ['DELETE', '/api/v1/nodes/n', 'delete', ' nodes  n'],
  ['GET', '/api/v1/nodes/n/proxy/metrics', 'get', ' nodes/proxy  n'],
  ['GET', '/api/v1/proxy/namespaces/a/services/b/x', 'proxy', ' services a b'],
  ['GET', '//api//v1/%6eamespaces/a/pods/', 'list', ' pods a '],
  ['GET', '/api/v1/namespaces/%zz/pods', 'list', ' pods %zz '],
  ['GET', '/api/v1/namespaces/%C3%A4/%70ods/%ff', 'get', ' pods ä \ufffd'],
])('%s %s is %s of%s', (method, target, verb, resource) => {
  const info = requestInfo(method, target)
  const its = info.resource
  expect(info.verb).toBe(verb)
  expect(its && `${its.group} ${its.name} ${its.namespace} ${its.object}`).toBe(resource)
})

it('whatever is asked has a verb', () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.oneof(
        fc.string(),
        fc.string().map((text) => `/api/v1/${text}`),
      ),
      (method, target) => {
        expect(typeof requestInfo(method, target).verb).toBe('string')
      },
    ),
  )
})
