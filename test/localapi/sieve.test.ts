import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Keep, sieve } from '../../localapi/sieve.ts'

const keep: ReadonlyMap<string, Keep> = new Map<string, Keep>([
  ['State', true],
  ['Self', new Map<string, Keep>([['Name', true]])],
])

/** Feeds a document in pieces of these sizes, then the rest. */
function sift(document: string | Buffer, sizes: readonly number[] = [], limit = 1_000_000): string {
  const { push, end } = sieve(keep, limit)
  const bytes = Buffer.from(document)
  let start = 0
  for (const size of sizes) {
    push(bytes.subarray(start, start + size))
    start += size
  }
  push(bytes.subarray(start))
  return end()
}

/** The expected result: the same fields kept of a parsed document. */
function cut(value: unknown, kept: Keep): unknown {
  if (!(kept instanceof Map) || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((element) => cut(element, kept))
  const entries = Object.entries(value).map(([name, field]) => {
    const inner = kept.get(name)
    return [name, inner === undefined ? 0 : cut(field, inner)] as const
  })
  return Object.fromEntries(entries)
}

describe('keeps selected fields of a document', () => {
  it.each<[string, string, string]>([
    ['named fields', '{"State":6,"Self":{"Name":"a"}}', '{"State":6,"Self":{"Name":"a"}}'],
    ['no others', '{"Peers":[{"a":"]}"},{}],"State":[1,{"Peers":2}]}', '{"Peers":0,"State":[1,{"Peers":2}]}'],
    ['nor within', '{"Self":{"Hostinfo":{"Name":"b"},"Name":"a"}}', '{"Self":{"Hostinfo":0,"Name":"a"}}'],
    ['of each element', '{"Self":[{"ID":1},{"Name":2}]}', '{"Self":[{"ID":0},{"Name":2}]}'],
    ['white space', ' { "State" : 6 , "ID" : [ 1 ] } ', ' { "State" : 6 , "ID" :0} '],
    ['quotes in a string', '{"ID":"\\"}\\\\","State":"\\",\\\\"}', '{"ID":0,"State":"\\",\\\\"}'],
    ['another value', 'null', 'null'],
    ['another shape', '{"Self":"x"}', '{"Self":"x"}'],
  ])('%s', (_name, document, expected) => {
    expect(sift(document)).toBe(expected)
  })

  it('gives the same result wherever the bytes are split, and whatever the values', () => {
    const name = fc.oneof(fc.constantFrom('State', 'Self', 'Name', '__proto__', 'é"\\'), fc.string())
    const document = fc.letrec((tie) => ({
      value: fc.oneof({ maxDepth: 6 }, fc.jsonValue(), tie('object'), fc.array(tie('object'), { maxLength: 3 })),
      object: fc.dictionary(name, tie('value'), { maxKeys: 5, noNullPrototype: true }),
    })).object
    fc.assert(
      fc.property(document, fc.array(fc.nat(20)), fc.constantFrom(undefined, 2), (value, sizes, indent) => {
        const text = JSON.stringify(value, undefined, indent)
        expect(JSON.parse(sift(text, sizes))).toEqual(cut(JSON.parse(text), keep))
      }),
      { numRuns: 500 },
    )
  })
})

describe('extracts values one by one', () => {
  const element: Keep = new Map([['ID', true]])
  /** Extracts the peers of a document that comes in pieces of this size; returns them, and the rest. */
  function takeApart(document: string, size = document.length || 1, limit = 1_000_000) {
    const taken: string[] = []
    const peers = { each: element, take: (text: string) => taken.push(text) }
    const { push, end } = sieve(
      new Map<string, Keep>([
        ['Peers', peers],
        ['State', true],
      ]),
      limit,
    )
    const bytes = Buffer.from(document)
    for (let start = 0; start < bytes.length; start += size) push(bytes.subarray(start, start + size))
    return { rest: end(), taken }
  }

  it.each<[string, string, string, string[]]>([
    [
      'an array',
      '{"Peers":[{"ID":1,"x":[2]},{"ID":3}],"State":6}',
      '{"Peers":[],"State":6}',
      ['{"ID":1,"x":0}', '{"ID":3}'],
    ],
    ['an object', '{"Peers":{"a":{"ID":1},"b,]":{"ID":[2,3]}}}', '{"Peers":{}}', ['{"ID":1}', '{"ID":[2,3]}']],
    ['an empty array', '{"Peers":[ ],"State":6}', '{"Peers":[],"State":6}', []],
    ['an empty object', '{"Peers":{}}', '{"Peers":{}}', []],
    ['null', '{"Peers":null}', '{"Peers":null}', []],
    ['other values', '{"Peers":[1,"a,b",[{"ID":1}],null]}', '{"Peers":[]}', ['1', '"a,b"', '[{"ID":1}]', 'null']],
    ['white space', '{"Peers": [ {"ID" : 1} , 2 ] }', '{"Peers": [] }', [' {"ID" : 1} ', ' 2 ']],
    ['an extra comma', '{"Peers":[1,]}', '{"Peers":[]}', ['1', '']],
    ['a leading comma', '{"Peers":[,1]}', '{"Peers":[]}', ['', '1']],
    ['a name without a value', '{"Peers":{"a","b":1}}', '{"Peers":{}}', ['"a"', '1']],
    ['two values for a name', '{"Peers":{"a":1 "b":2}}', '{"Peers":{}}', ['1 "b":2']],
    ['a wrong closing bracket', '{"Peers":[1}}', '{"Peers":[}}', ['1']],
    ['no end', '{"Peers":[{"ID":1},{"ID"', '{"Peers":[{"ID"', ['{"ID":1}']],
  ])('%s', (_name, document, rest, taken) => {
    expect(takeApart(document)).toEqual({ rest, taken })
    expect(takeApart(document, 1)).toEqual({ rest, taken })
  })

  it('holds one value at a time', () => {
    const many = Array.from({ length: 1000 }, (_, ID) => ({ ID, Key: 'k'.repeat(100) }))
    expect(takeApart(JSON.stringify({ Peers: many }), 7, 60).taken).toHaveLength(1000)
    expect(() => takeApart('{"Peers":[{"ID":"' + 'x'.repeat(60), 7, 60)).toThrow(/more than the 60 bytes/)
  })
})

describe('bad documents', () => {
  it('do not affect the next one', () => {
    const { push, end } = sieve(keep, 100)
    const endings = ['{"ID":"', '{"ID":[[[', '{"State":"\\', '{"Self":{"Na', `{"State":"${'x'.repeat(200)}"}`]
    for (const document of [...endings, ']]]}}}', '{"State":1}}}']) {
      push(Buffer.from(document))
      try {
        end()
      } catch (error) {
        expect(String(error)).toMatch(/more than the 100 bytes/)
      }
      push(Buffer.from('{"State":6,"ID":1}'))
      expect(end()).toBe('{"State":6,"ID":0}')
    }
  })

  it('that are not JSON do not become JSON by filtering', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), (bytes) => {
        // Nothing is filtered without a colon.
        const document = Buffer.from(bytes.map((byte) => (byte === 0x3a ? 0x20 : byte)))
        expect(sift(document)).toBe(document.toString('utf8'))
      }),
    )
  })

  it('take no more memory than the limit, however long or deep', () => {
    const { push, end } = sieve(keep, 1000)
    const before = process.memoryUsage().arrayBuffers
    const piece = Buffer.alloc(65_536, '[')
    for (const start of ['{"Peers":', '{"State":', '{"Self":', '']) {
      push(Buffer.from(start))
      for (let count = 0; count < 500; count += 1) push(piece)
      if (start === '{"Peers":') expect(end()).toBe('{"Peers":0')
      else expect(end).toThrow(/more than the 1000 bytes/)
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000)
  })
})
