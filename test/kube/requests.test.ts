import { describe, expect, it } from 'vitest'
import * as requests from '../../kube/requests.ts'

const secret = { namespace: 'ts', name: 'proxy-0' }
const base64 = (text: string): string => Buffer.from(text).toString('base64')

describe('requests', () => {
  it('get and list name the Secret', () => {
    expect(requests.getSecret(secret)).toEqual({
      verb: 'get',
      object: 'Secret "proxy-0" in namespace "ts"',
      method: 'GET',
      path: '/api/v1/namespaces/ts/secrets/proxy-0',
    })
    expect(requests.listSecret(secret).path).toBe('/api/v1/namespaces/ts/secrets?fieldSelector=metadata.name%3Dproxy-0')
  })

  it('a watch has a resource version and a time limit', () => {
    const query = new URLSearchParams(requests.watchSecret(secret, '17', 300).path.split('?')[1])
    expect(Object.fromEntries(query)).toEqual({
      fieldSelector: 'metadata.name=proxy-0',
      watch: 'true',
      allowWatchBookmarks: 'true',
      timeoutSeconds: '300',
      resourceVersion: '17',
    })
  })

  it('a patch merges keys, deletes those with null, and marks its body as secret', () => {
    const request = requests.patchSecret(
      secret,
      new Map([
        ['authkey', null],
        ['device_id', 'nä'],
        ['empty', ''],
      ]),
    )
    expect(request).toMatchObject({
      method: 'PATCH',
      path: '/api/v1/namespaces/ts/secrets/proxy-0?fieldManager=tailscale-container',
      body: { type: 'application/strategic-merge-patch+json' },
      hidden: [base64('nä'), ''],
    })
    expect(JSON.parse(request.body?.text ?? '')).toEqual({
      data: { authkey: null, device_id: base64('nä'), empty: '' },
    })
  })

  it('a creation must not be repeated', () => {
    const request = requests.createSecret(secret, new Map([['pod_uid', 'u1']]))
    expect(request).toMatchObject({
      method: 'POST',
      once: true,
      path: '/api/v1/namespaces/ts/secrets?fieldManager=tailscale-container',
      hidden: [base64('u1')],
    })
    expect(JSON.parse(request.body?.text ?? '')).toEqual({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'proxy-0' },
      data: { pod_uid: base64('u1') },
    })
  })

  it('a review asks about one verb on one Secret', () => {
    const request = requests.review(secret, 'patch')
    expect(request.path).toBe('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews')
    expect(JSON.parse(request.body?.text ?? '')).toMatchObject({
      spec: { resourceAttributes: { namespace: 'ts', verb: 'patch', resource: 'secrets', name: 'proxy-0' } },
    })
  })

  it.each(['../nodes', 'a/b', 'a?b=c', 'a#b', 'a&b', 'a b', '%2e', 'ä'])('the name %j is escaped', (name) => {
    const hostile = { namespace: name, name }
    const encoded = encodeURIComponent(name)
    expect(requests.getSecret(hostile).path).toBe(`/api/v1/namespaces/${encoded}/secrets/${encoded}`)
    const { pathname, searchParams } = new URL(requests.watchSecret(hostile, name, 1).path, 'https://api')
    expect(pathname).toBe(`/api/v1/namespaces/${encoded}/secrets`)
    expect(searchParams.get('fieldSelector')).toBe(`metadata.name=${name}`)
    expect(searchParams.get('resourceVersion')).toBe(name)
  })
})
