import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { renderElements, renderSkeleton, renderTable } from '../../../netfilter/nftables/render.ts'
import { emptyTable, type ForwardingTable } from '../../../netfilter/table.ts'

const table = (v4: [string, string][], v6: [string, string][] = []): ForwardingTable => ({
  ingress: { 4: new Map(v4), 6: new Map(v6) },
  masquerade: true,
})

describe('renderTable', () => {
  it('replaces the table in one transaction, whether or not it exists', () => {
    expect(renderTable(emptyTable)).toMatch(/^table inet culvert\ndelete table inet culvert\ntable inet culvert \{\n/)
  })

  it('masquerades unless told otherwise', () => {
    expect(renderSkeleton({ masquerade: true })).toMatch(/ masquerade comment/)
    expect(renderSkeleton({ masquerade: false })).not.toMatch(/ masquerade comment/)
  })
})

describe('renderElements', () => {
  it.each<[string, ForwardingTable, ForwardingTable, string[]]>([
    ['nothing', table([['p', 'b']]), table([['p', 'b']]), []],
    [
      'an addition',
      table([]),
      table([['p', 'b']]),
      ['add element inet culvert own4 { p }', 'add element inet culvert ingress4 { p : b }'],
    ],
    [
      'a removal',
      table([], [['p', 'b']]),
      table([]),
      ['delete element inet culvert ingress6 { p }', 'delete element inet culvert own6 { p }'],
    ],
    [
      'another backend',
      table([['p', 'b']]),
      table([['p', 'c']]),
      ['delete element inet culvert ingress4 { p }', 'add element inet culvert ingress4 { p : c }'],
    ],
  ])('%s', (_name, from, to, commands) => {
    expect(
      renderElements(from, to)
        .split('\n')
        .filter((line) => line !== ''),
    ).toEqual(commands)
  })

  it('turns any content into any other', () => {
    const content = fc.uniqueArray(fc.tuple(fc.ipV4(), fc.ipV4()), { selector: ([own]) => own, maxLength: 8 })
    fc.assert(
      fc.property(content, content, (from, to) => {
        const map = new Map(from)
        const own = new Set(map.keys())
        for (const line of renderElements(table(from), table(to)).split('\n')) {
          const [, verb, set, list] = /^(add|delete) element inet culvert (\w+) \{ (.*) \}$/.exec(line) ?? []
          for (const item of list?.split(', ') ?? []) {
            const [key = '', value = ''] = item.split(' : ')
            // The kernel refuses to delete what is not there, and to add a key with another value.
            if (verb === 'delete') expect(set === 'own4' ? own.delete(key) : map.delete(key)).toBe(true)
            else if (set === 'own4') own.add(key)
            else expect(map.has(key) || map.set(key, value) === undefined).toBe(false)
          }
        }
        expect(map).toEqual(new Map(to))
        expect(own).toEqual(new Set(new Map(to).keys()))
      }),
    )
  })
})
