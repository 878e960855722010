import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { Cast, readSize } from '../../../apiserver/recording/cast.ts'

const session = { type: 'exec', namespace: 'n', pod: 'p', container: 'c', command: ['ls', '-l'] } as const
const caller = {
  node: 'laptop.lab.ts.net',
  nodeId: 'nLaptop',
  identity: { user: 'alice@example.com', groups: [] },
  tags: [],
}
const began = new Date('2026-11-30T12:00:00.900Z')
const parsed = (text: string): unknown[] =>
  text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as unknown)

it('a header says who did what, before any event', () => {
  const cast = new Cast(session, caller, began)
  const text =
    cast.output('stdout', Buffer.from('a"\n'), 1500) + cast.output('stderr', Buffer.from('b'), 2000) + cast.end(9)
  expect(parsed(text)).toEqual([
    {
      version: 2,
      width: 80,
      height: 24,
      timestamp: 1796040000,
      command: 'ls -l',
      srcNode: 'laptop.lab.ts.net',
      srcNodeID: 'nLaptop',
      srcNodeUser: 'alice@example.com',
      env: null,
      sshUser: '',
      localUser: '',
      connectionID: '',
      kubernetes: { PodName: 'p', Namespace: 'n', Container: 'c', SessionType: 'exec' },
    },
    [1.5, 'o', 'a"\n'],
    [2, 'o', 'b'],
  ])
})

it('a device with tags has no user, and a session without a command none', () => {
  const [header] = parsed(new Cast({ ...session, command: [] }, { ...caller, tags: ['tag:ci'] }, began).end(0))
  expect(header).toMatchObject({ srcNodeTags: ['tag:ci'] })
  expect(Object.keys(header as object)).not.toEqual(expect.arrayContaining(['srcNodeUser']))
  expect(Object.keys(header as object)).not.toEqual(expect.arrayContaining(['command']))
})

it('the first size is in the header, and others are events of columns and rows', () => {
  const cast = new Cast(session, caller, began)
  const text = cast.resize({ width: 100, height: 30 }, 0) + cast.resize({ width: 20, height: 10 }, 500)
  expect(parsed(text)).toMatchObject([{ width: 100, height: 30 }, [0.5, 'r', '20x10']])
})

it('text is whole however its bytes are cut, also if both streams are mixed', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 3 }), (any, size) => {
      const text = any.replaceAll('\u0001', '')
      const cast = new Cast(session, caller, began)
      const bytes = Buffer.from(text)
      let all = ''
      for (let at = 0; at < bytes.length; at += size) {
        all += cast.output('stdout', bytes.subarray(at, at + size), 0)
        all += cast.output('stderr', Buffer.of(1), 0)
      }
      const events = parsed(all + cast.end(0)).slice(1) as [number, string, string][]
      expect(events.map(([, , some]) => some.replaceAll('\u0001', '')).join('')).toBe(text)
    }),
  )
})

it('what is no UTF-8, or ends within a character, is shown as such', () => {
  const cast = new Cast(session, caller, began)
  const text = cast.output('stdout', Buffer.of(0x41, 0xff, 0xe2, 0x82), 0) + cast.end(1000)
  expect(parsed(text).slice(1)).toEqual([
    [0, 'o', 'A\u{fffd}'],
    [1, 'o', '\u{fffd}'],
  ])
})

it.each([
  ['{"Width":80,"Height":24}', { width: 80, height: 24 }],
  ['{"height": 24, "width" : 80', { width: 80, height: 24 }],
  ['{"Width":0,"Height":24}', undefined],
  ['{"Width":123456,"Height":24}', undefined],
  ['{"Width":80}', undefined],
  ['', undefined],
])('the size in %s', (text, size) => expect(readSize(text)).toEqual(size))
