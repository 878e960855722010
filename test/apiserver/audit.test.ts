import { expect, it } from 'vitest'
import { auditLine, type Audited } from '../../apiserver/audit.ts'
import { readCaller } from '../../apiserver/caller.ts'
import { Refused } from '../../apiserver/refused.ts'
import { requestInfo } from '../../apiserver/request-info.ts'
import { parseAddress } from '../../lib/address.ts'
import { aWhois, granting, groups } from './a-whois.ts'

const address = parseAddress('100.64.0.7')!
const caller = readCaller(aWhois(address.text, { capMap: granting(groups('a')) }), address, new Date(0))
const at = new Date('2026-11-30T12:00:00Z')

const audited = (method: string, target: string, more: Partial<Audited> = {}): Audited => ({
  id: 'c0ffee',
  stage: 'ended',
  origin: { address, port: 1 },
  caller,
  impersonated: true,
  method,
  target,
  info: requestInfo(method, target),
  status: 200,
  ms: 12.4,
  refused: undefined,
  cut: undefined,
  ...more,
})
const read = (line: string): unknown => JSON.parse(line)
const who = {
  from: '100.64.0.7',
  node: 'laptop.lab.ts.net',
  nodeId: 'nLaptop',
  user: 'alice@example.com',
  groups: ['a'],
}

it('a line says who did what with which result, in one line', () => {
  const line = auditLine(at, audited('PATCH', '/apis/apps/v1/namespaces/n/deployments/d/scale?x=y'))
  expect(line.indexOf('\n')).toBe(line.length - 1)
  expect(read(line)).toEqual({
    time: '2026-11-30T12:00:00.000Z',
    stage: 'ended',
    auditId: 'c0ffee',
    ...who,
    method: 'PATCH',
    verb: 'patch',
    group: 'apps',
    resource: 'deployments/scale',
    namespace: 'n',
    name: 'd',
    status: 200,
    ms: 12,
  })
})

it('what was refused and what was cut off say why', () => {
  const refused = new Refused(403, 'policy', 'no\nway')
  const line = auditLine(at, audited('GET', '/version', { refused, status: 403, caller: undefined, id: undefined }))
  expect(line.split('\n').length).toBe(2)
  expect(read(line)).toEqual({
    time: '2026-11-30T12:00:00.000Z',
    stage: 'ended',
    from: '100.64.0.7',
    method: 'GET',
    verb: 'get',
    path: '/version',
    status: 403,
    ms: 12,
    refused: 'policy',
    message: 'no\nway',
  })
  expect(read(auditLine(at, audited('GET', '/version', { cut: 'gone' })))).toMatchObject({ cut: 'gone' })
})

it('a line has no query, and no text without end', () => {
  const line = auditLine(at, audited('POST', `/api/v1/namespaces/n/pods/p/exec?command=s3cret&${'x'.repeat(9000)}`))
  expect(line).not.toContain('s3cret')
  expect(auditLine(at, audited('GET', `/${'y'.repeat(9000)}?s3cret`)).length).toBeLessThan(1500)
})
