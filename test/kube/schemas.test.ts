import { describe, expect, it } from 'vitest'
import { parseEvent, parseList, parseReview, parseSecret, parseStatus } from '../../kube/schemas.ts'
import { secretJson, statusJson } from './api-server.ts'

const text = (value: unknown): string => JSON.stringify(value)
const whole = secretJson('proxy-0', '7', { device_id: 'n1', binary: '\u0000' })
const read = { name: 'proxy-0', resourceVersion: '7', undecodable: [] }

describe('a Secret', () => {
  it('has decoded values', () => {
    const secret = parseSecret('proxy-0', text(whole))
    expect(secret).toMatchObject(read)
    expect([...secret.data].map(([key, value]) => [key, value.toString()])).toEqual([
      ['device_id', 'n1'],
      ['binary', '\u0000'],
    ])
  })

  it.each([undefined, null, {}])('may have no keys (%j)', (data) => {
    expect(parseSecret('proxy-0', text({ ...whole, data }))).toEqual({ ...read, data: new Map() })
  })

  it('without metadata has no version, as in upstream’s test suite', () => {
    expect(parseSecret('proxy-0', '{"data":{"a":"Yg=="}}')).toEqual({
      name: 'proxy-0',
      resourceVersion: '',
      data: new Map([['a', Buffer.from('b')]]),
      undecodable: [],
    })
  })

  it.each(['x', 'Yg', 'Yg==\n', '====', 'ü', 'Yg==Yg=='])('reports that %j is not base64', (value) => {
    const secret = parseSecret('proxy-0', text({ ...whole, data: { good: '', bad: value } }))
    expect(secret.undecodable).toEqual(['bad'])
    expect([...secret.data.keys()]).toEqual(['good'])
  })

  it.each([
    ['', 'it is empty'],
    ['<html>hunter2</html>', 'it is not JSON'],
    ['{"data":{"a":"hunter2"', 'it is not JSON'],
    ['{}', 'it has neither metadata nor data'],
    [text({ ...whole, metadata: { name: 'other', resourceVersion: '1' } }), 'it is about another Secret'],
    [text({ ...whole, metadata: { name: 'proxy-0', resourceVersion: '' } }), 'resourceVersion'],
    [text({ ...whole, kind: 'ConfigMap' }), 'kind'],
    [text({ ...whole, data: { a: 1 } }), 'data.a'],
    [text({ ...whole, data: ['hunter2'] }), 'data'],
    [text(statusJson(404, 'NotFound', 'hunter2')), 'kind'],
    ['null', 'Invalid input'],
    ['[]', 'Invalid input'],
  ])('%j is refused', (answer, message) => {
    expect(() => parseSecret('proxy-0', answer)).toThrow(message)
    expect(() => parseSecret('proxy-0', answer)).not.toThrow('hunter2')
  })
})

describe('a list', () => {
  it.each([
    ['one', [whole], read],
    ['the Secrets of others', [secretJson('proxy-1', '6'), whole], read],
    ['only others', [secretJson('proxy-1', '6')], undefined],
    ['none', [], undefined],
    ['null', null, undefined],
  ])('with %s', (_name, items, secret) => {
    const listed = parseList('proxy-0', text({ kind: 'SecretList', metadata: { resourceVersion: '9' }, items }))
    expect(listed.resourceVersion).toBe('9')
    if (secret === undefined) expect(listed.secret).toBeUndefined()
    else expect(listed.secret).toMatchObject(secret)
  })

  it.each(['{}', '{"metadata":{}}', text(whole).replace('}', ''), '{"metadata":{"resourceVersion":"1"},"items":{}}'])(
    '%j is refused',
    (answer) => {
      expect(() => parseList('proxy-0', answer)).toThrow()
    },
  )
})

describe('an event', () => {
  it.each([
    ['ADDED', whole, { resourceVersion: '7', secret: read }],
    ['MODIFIED', whole, { resourceVersion: '7', secret: read }],
    ['DELETED', whole, { resourceVersion: '7', secret: undefined }],
    [
      'BOOKMARK',
      { kind: 'Secret', metadata: { resourceVersion: '99', creationTimestamp: null } },
      { resourceVersion: '99' },
    ],
  ])('%s', (type, object, expected) => {
    expect(parseEvent('proxy-0', text({ type, object }))).toMatchObject(expected)
  })

  it('with an error has the reason why the watch ends', () => {
    const gone = { type: 'ERROR', object: statusJson(410, 'Expired', 'too old resource version: 1 (2)') }
    expect(() => parseEvent('proxy-0', text(gone))).toThrow('too old resource version')
    expect(() => parseEvent('proxy-0', '{"type":"ERROR","object":null}')).toThrow('it does not say why')
  })

  it.each([
    '',
    '{"type":"ADDED"}',
    '{"type":"ADDED","object":{}}',
    text({ type: 'DELETED', object: secretJson('other', '3') }),
    text({ type: 'BOOKMARK', object: { metadata: {} } }),
    text({ object: whole }),
  ])('%j is refused', (line) => {
    expect(() => parseEvent('proxy-0', line)).toThrow()
  })
})

it('a Status explains an error, other bodies do not', () => {
  expect(parseStatus(text(statusJson(403, 'Forbidden', 'no')))).toMatchObject({ message: 'no', reason: 'Forbidden' })
  expect(parseStatus('{"kind":"Status","message":null}')).toEqual({ kind: 'Status', message: null })
  for (const body of ['', '<html>', 'null', '{}', '{"kind":"Status","message":1}', '{"error":"x"}']) {
    expect(parseStatus(body)).toBeUndefined()
  }
})

it('a review allows or denies', () => {
  expect(parseReview('{"status":{"allowed":true}}')).toBe(true)
  expect(parseReview('{"status":{"allowed":false,"reason":""}}')).toBe(false)
  expect(() => parseReview('{"status":{}}')).toThrow('allowed')
})
