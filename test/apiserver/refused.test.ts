import { expect, it } from 'vitest'
import { asRefused, refusalOf, Refused } from '../../apiserver/refused.ts'

it('a refusal has a body that clients of Kubernetes show', () => {
  const { body, headers } = refusalOf(new Refused(403, 'policy', 'not you'))
  expect(JSON.parse(body)).toEqual({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: 'culvert: not you',
    reason: 'Forbidden',
    code: 403,
  })
  expect(headers).toMatchObject({ 'content-type': 'application/json', 'content-length': body.length })
})

it('to the question which resources there are, a refusal is a text, which is all that kubectl shows of it', () => {
  const accept =
    'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,' +
    'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json'
  const { body, headers } = refusalOf(new Refused(403, 'policy', '„not you“'), accept)
  expect(body).toBe('culvert: „not you“\n')
  expect(headers).toMatchObject({
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(body),
  })
})

it('a bug is a refusal that says nothing of itself', () => {
  const refused = asRefused(new Error('the token is abc'))
  expect([refused.status, refused.reason]).toEqual([500, 'internal'])
  expect(refusalOf(refused).body).not.toContain('abc')
})
