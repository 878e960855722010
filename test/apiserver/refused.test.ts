import { expect, it } from 'vitest'
import { asRefused, Refused, statusBody, statusHeaders } from '../../apiserver/refused.ts'

it('a refusal has a body that clients of Kubernetes show', () => {
  const body = statusBody(new Refused(403, 'policy', 'not you'))
  expect(JSON.parse(body)).toEqual({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: 'culvert: not you',
    reason: 'Forbidden',
    code: 403,
  })
  expect(statusHeaders(body, 403)).toMatchObject({ 'content-type': 'application/json', 'content-length': body.length })
})

it('a bug is a refusal that says nothing of itself', () => {
  const refused = asRefused(new Error('the token is abc'))
  expect([refused.status, refused.reason]).toEqual([500, 'internal'])
  expect(statusBody(refused)).not.toContain('abc')
})
