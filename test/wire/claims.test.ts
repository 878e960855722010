import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Claims, findConflicts } from '../../wire/claims.ts'
import { growth } from '../lib/processor-time.ts'

type Sets = Record<string, string[]>
const claims = (sets: Sets): Claims =>
  new Map(Object.entries(sets).map(([name, list]) => [name, list.map((what) => ({ what, field: `of ${what}` }))]))

it.each<[string, { before?: Sets; wanted: Sets; kept?: string[] }, Record<string, [what: string, owner: string]>]>([
  ['nobody when no claims collide', { wanted: { a: ['1', '2'], b: ['3'] } }, {}],
  ['the first by name', { wanted: { a: ['1'], b: ['1', '2'] } }, { b: ['1', 'a'] }],
  ['the one that had it before', { before: { b: ['1'] }, wanted: { a: ['1'], b: ['1'] } }, { a: ['1', 'b'] }],
  ['neither of two that swap their claims', { before: { a: ['1'], b: ['2'] }, wanted: { a: ['2'], b: ['1'] } }, {}],
  ['nobody who has given the claim up', { before: { b: ['1'] }, wanted: { a: ['1'], b: ['2'] } }, {}],
  ['nobody who is gone', { before: { b: ['1'] }, wanted: { a: ['1'] } }, {}],
  [
    'one whose last good version is kept',
    { before: { b: ['1'] }, wanted: { a: ['1'] }, kept: ['b'] },
    { a: ['1', 'b'] },
  ],
  [
    'one that stays as it was because it lost another claim',
    { before: { b: ['2'] }, wanted: { a: ['1'], b: ['1'], c: ['2'] } },
    { b: ['1', 'a'], c: ['2', 'b'] },
  ],
  [
    'the previous owners along a chain that ends at a kept one',
    { before: { a: ['1'], b: ['2'], c: ['3'] }, wanted: { a: ['2'], b: ['3'] }, kept: ['c'] },
    { b: ['3', 'c'], a: ['2', 'b'] },
  ],
  [
    'the next one, when the first loses another claim',
    { before: { z: ['9'] }, wanted: { a: ['1', '9'], b: ['1'], z: ['9'] } },
    { a: ['9', 'z'] },
  ],
])('favours %s', (_what, { before = {}, wanted, kept = [] }, expected) => {
  const conflicts = findConflicts({ wanted: claims(wanted), before: claims(before), kept })
  expect(Object.fromEntries([...conflicts].map(([name, { claim, owner }]) => [name, [claim.what, owner]]))).toEqual(
    expected,
  )
})

/** Services that each have a claim of their own, and one that may collide with others. */
const names = ['a', 'b', 'c', 'd', 'e', 'f']
const whats = ['1', '2', '3', '4', '5', '6', '7']
const someClaims = fc.uniqueArray(fc.constantFrom(...whats), { maxLength: 3 })
const meeting = fc.dictionary(fc.constantFrom(...names), someClaims)
const apart = meeting.map((sets) => {
  const seen = new Set<string>()
  return Object.fromEntries(
    Object.entries(sets).map(([name, list]) => [name, list.filter((what) => !seen.has(what) && seen.add(what))]),
  )
})

it('never grants a claim twice, nor denies one without a collision, for any input', () => {
  fc.assert(
    fc.property(apart, meeting, fc.subarray(names), (before, all, broken) => {
      const kept = broken.filter((name) => name in before)
      const wanted = Object.fromEntries(
        names.flatMap((name) => {
          const list = all[name]
          return list === undefined || broken.includes(name) ? [] : [[name, list]]
        }),
      )
      const conflicts = findConflicts({ wanted: claims(wanted), before: claims(before), kept })
      const result: Sets = {}
      for (const name of names) {
        const list = conflicts.has(name) || kept.includes(name) ? before[name] : wanted[name]
        if (list !== undefined) result[name] = list
      }
      const taken = Object.values(result).flat()
      expect(new Set(taken).size).toBe(taken.length)
      const requested = Object.values(wanted)
        .flat()
        .concat(kept.flatMap((name) => before[name] ?? []))
      if (new Set(requested).size === requested.length) expect(conflicts.size).toBe(0)
      for (const [name, { claim }] of conflicts) {
        expect(wanted[name]).toContain(claim.what)
        expect(claim.field).toBe(`of ${claim.what}`)
      }
    }),
    { numRuns: 5000 },
  )
})

it('scales linearly for a chain of 20,000 claims that cannot move because the last cannot', () => {
  const moveUp = (size: number) => {
    const row = Array.from({ length: size }, (_, index) => `s${String(index).padStart(5, '0')}`)
    const before = claims(Object.fromEntries(row.map((name, index) => [name, [String(index)]])))
    const wanted = claims(Object.fromEntries(row.slice(0, -1).map((name, index) => [name, [String(index + 1)]])))
    return () => findConflicts({ wanted, before, kept: row.slice(-1) })
  }
  expect(moveUp(20_000)().size).toBe(19_999)
  expect(growth([1000, 20_000], moveUp)).toBeLessThan(1.8)
})
