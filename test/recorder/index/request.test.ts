import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { requestEntry } from '../../../recorder/index/request.ts'
import { eventKey } from '../../../recorder/keys.ts'

const came = new Date('2026-11-30T12:00:00.123Z')
const stored = { key: eventKey('nProxy', came), bytes: 9, modified: new Date(0) }

const kubernetes = { Namespace: 'shop', Resource: 'pods', Name: 'web-0', Subresource: 'log' }
const request = { method: 'GET', path: '/api/v1/namespaces/shop/pods/web-0/log?follow=true' }

it.each([
  [
    'of a person',
    { node: 'laptop.lab.ts.net', nodeUser: 'alice@example.com' },
    'laptop.lab.ts.net',
    'alice@example.com',
  ],
  ['of a device with tags', { nodeID: 'nCi', nodeTags: ['tag:ci', 'tag:eu'] }, 'nCi', 'tag:ci tag:eu'],
])('a request %s is found like a session', (_what, source, from, who) => {
  expect(requestEntry(stored, { source, request, kubernetes })).toEqual({
    key: stored.key,
    state: 'whole',
    kind: 'request',
    began: came.getTime(),
    seconds: undefined,
    bytes: 9,
    modified: 0,
    node: 'nProxy',
    from,
    who,
    where: 'shop/pods/web-0/log',
    command: 'GET /api/v1/namespaces/shop/pods/web-0/log?follow=true',
  })
})

it('whatever an event is, its entry has texts of a limited length', () => {
  const some = fc.anything({
    maxDepth: 3,
    key: fc.constantFrom('source', 'request', 'kubernetes', 'node', 'path', 'x'),
  })
  fc.assert(
    fc.property(fc.oneof(some, fc.constant({ request: { path: 'x'.repeat(100_000) } })), (event) => {
      const { who, from, where, command } = requestEntry(stored, event)
      for (const text of [who, from, where, command]) expect(text.length).toBeLessThanOrEqual(500)
    }),
  )
})
