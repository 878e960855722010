import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { entriesOf, layered, type LayeredMap, valueAt, withChanges } from '../../lib/layered-map.ts'
import { textIndex } from '../../lib/text-index.ts'

const key = fc.nat(20).map(String)
const news = fc.array(fc.tuple(key, fc.option(fc.constantFrom('', 'a', 'b', 'ab', 'aa'), { nil: undefined })))

it('each version keeps its entries and its index, whatever later versions change', () => {
  const letters = textIndex((text: string) => [...new Set(text)])
  fc.assert(
    fc.property(fc.array(news), (steps) => {
      const versions: [LayeredMap<string>, ReadonlyMap<string, string>][] = [[layered(new Map()), new Map()]]
      for (const step of steps) {
        const [map, before] = versions.at(-1)!
        const after = new Map(before)
        for (const [name, value] of step) {
          if (value === undefined) after.delete(name)
          else after.set(name, value)
        }
        versions.push([withChanges(map, step), after])
      }
      for (const [map, model] of versions) {
        expect(new Map(entriesOf(map))).toEqual(model)
        for (let id = 0; id <= 20; id += 1) expect(valueAt(map, String(id))).toBe(model.get(String(id)))
        for (const letter of ['a', 'b', 'c']) {
          const holders = [...model].filter(([, text]) => text.includes(letter)).map(([name]) => name)
          expect(letters.keys(map, letter).toSorted()).toEqual(holders.toSorted())
        }
      }
    }),
  )
})

it('an index lists the lengths of its texts, the longest first', () => {
  const itself = textIndex((text: string) => [text])
  const map = withChanges(layered(new Map(['a', 'b', 'c', 'd'].map((name) => [name, 'xx']))), [['e', 'yyy']])
  expect(itself.lengths(map)).toEqual([3, 2])
})

it('1,000 changes of 10,000 entries read as many entries as some 20 full copies', () => {
  let read = 0
  const texts = textIndex((text: string) => {
    read += 1
    return [text]
  })
  let map = layered(new Map(Array.from({ length: 10_000 }, (_, id) => [String(id), `v${id}`])))
  for (let id = 0; id < 1000; id += 1) {
    map = withChanges(map, [[String(id * 7), `w${id}`]])
    expect(texts.keys(map, `w${id}`)).toEqual([String(id * 7)])
    expect(texts.keys(map, `v${id * 7}`)).toEqual([])
  }
  expect(read).toBeLessThan(200_000)
})
