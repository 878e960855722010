import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CulvertError } from '../../lib/errors.ts'
import { readHujsonObject } from '../../lib/hujson.ts'

const read = (text: string) => readHujsonObject('f', Buffer.from(text))

describe('readHujsonObject', () => {
  it('accepts comments and trailing commas, and returns the position of each field', () => {
    const text = '// first\n{\n  "a": 1, /* two\n lines */ "b": [true, {"c": null,},],\n  "é": "\\u00e9//",\n}\n'
    expect(read(text).map(({ name, value, error }) => [name, value, error('what').message])).toEqual([
      ['a', 1, 'f:3:3: what'],
      ['b', [true, { c: null }], 'f:4:11: what'],
      ['é', 'é//', 'f:5:3: what'],
    ])
  })

  it('keeps fields of the same name, and those named like properties of Object.prototype', () => {
    const fields = read('{"a": 1, "__proto__": {"x": 1}, "a": 2, "constructor": 3}')
    expect(fields.map(({ name, value }) => [name, value])).toEqual([
      ['a', 1],
      ['__proto__', { x: 1 }],
      ['a', 2],
      ['constructor', 3],
    ])
    expect({}).not.toHaveProperty('x')
  })

  it.each<[string, string | Buffer, RegExp]>([
    ['nothing', '', /^f: the file is empty$/],
    ['white space', ' \n', /^f: the file is empty$/],
    ['only a comment', '// {}\n', /^f:2:1: value expected/],
    ['another value', '[1]', /^f:1:1: the document is no object$/],
    ['a second document', '{}\n{}', /^f:2:1: end of file expected$/],
    ['a missing comma', '{"a": 1\n"b": 2}', /^f:2:1: comma expected$/],
    ['a missing colon', '{"a" 1}', /^f:1:6: colon expected$/],
    ['a lone comma', '{,}', /^f:1:2: value expected$/],
    ['a name without quotes', '{a: 1}', /^f:1:2: invalid symbol$/],
    ['single quotes', "{'a': 1}", /^f:1:2: invalid symbol$/],
    ['a number with a leading zero', '{"a": 01}', /^f:1:8: comma expected$/],
    ['no number', '{"a": NaN}', /^f:1:7: invalid symbol$/],
    ['a line break in a string', '{"a": "b\nc"}', /^f:1:7: unexpected end of string$/],
    ['a control character in a string', '{"a": "\t"}', /^f:1:7: invalid character$/],
    ['an unknown escape', '{"a": "\\x41"}', /^f:1:7: invalid escape character$/],
    ['an unfinished comment', '{} /* ', /^f:1:4: unexpected end of comment, and the file ends there/],
    ['an unfinished string', '{"a": "tsk', /^f:1:7: unexpected end of string, and the file ends there: .*half written/],
    ['an unfinished literal', '{"a": tru', /^f:1:7: invalid symbol, and the file ends there/],
    ['an unfinished object', '{\n "a": 1,\n', /^f:3:1: .*half written/],
    ['a byte order mark', '\ufeff{}', /^f:1:1: invalid symbol/],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), /^f: the file is not UTF-8$/],
    ['nesting that is too deep', '['.repeat(1024 * 1024), /^f: values are nested too deeply$/],
  ])('refuses %s', (_name, content, message) => {
    expect(() => readHujsonObject('f', Buffer.from(content))).toThrow(
      expect.objectContaining({ code: 'settings', message: expect.stringMatching(message) }) as Error,
    )
  })

  it('returns what JSON.parse returns for JSON', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom(undefined, 2), (object, indent) => {
        const text = JSON.stringify(object, undefined, indent)
        const fields = read(text).map(({ name, value }) => [name, value])
        expect(JSON.stringify(fields)).toBe(JSON.stringify(Object.entries(JSON.parse(text) as object)))
      }),
    )
  })

  it('returns fields or a CulvertError for any bytes', () => {
    const syntax = fc.constantFrom(
      ...'{ } [ ] " : , \\ - 1 0 . e u'.split(' '),
      ' ',
      '\t',
      '\n',
      'null',
      'true',
      '"a":',
      '//',
      '/*',
      '*/',
    )
    const nearly = fc.array(syntax, { maxLength: 40 }).map((parts) => Buffer.from(`{${parts.join('')}`))
    fc.assert(
      fc.property(
        fc.oneof(
          nearly,
          fc.uint8Array().map((bytes) => Buffer.from(bytes)),
        ),
        (bytes) => {
          try {
            expect(readHujsonObject('f', bytes)).toBeInstanceOf(Array)
          } catch (error) {
            expect(error).toBeInstanceOf(CulvertError)
          }
        },
      ),
      { numRuns: 2000 },
    )
  })
})
