import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { branches, type Chains, type Leaf } from '../../../netfilter/iptables/tree.ts'

const leaf = (digits: string): Leaf => ({ digits, rule: `only ${digits} -j DNAT` })
const treeOf = (all: readonly string[]): Chains =>
  branches('CULVERT-X', all.map(leaf), (beginning) => `begins ${beginning}`)

/** The rules that are compared for a packet with these digits, down to the one that takes it. */
function walk(chains: Chains, digits: string): { compared: number; found: string | undefined } {
  let compared = 0
  const enter = (chain: string): string | undefined => {
    for (const rule of chains.get(chain)!) {
      compared += 1
      const [, kind, wanted = '', to = ''] = /^(only|begins) (\w+) -j (\S+)$/.exec(rule)!
      if (kind === 'only' ? wanted !== digits : !digits.startsWith(wanted)) continue
      const found = to === 'DNAT' ? rule : enter(to)
      if (found !== undefined) return found
    }
    return undefined
  }
  return { found: enter('CULVERT-X'), compared }
}

const some = fc.uniqueArray(fc.integer({ min: 0, max: 0xffff }), { maxLength: 300 })
const digitsOf = (value: number, length = 4) => value.toString(16).padStart(length, '0')

describe('a tree of chains', () => {
  it('is one chain while few rules are in it', () => {
    expect(treeOf(['00ff', '00fe'])).toEqual(new Map([['CULVERT-X', ['only 00fe -j DNAT', 'only 00ff -j DNAT']]]))
    expect(treeOf([])).toEqual(new Map([['CULVERT-X', []]]))
  })

  it('finds the rule of each, and none for any other', () => {
    fc.assert(
      fc.property(some, fc.integer({ min: 0, max: 0xffff }), (values, other) => {
        const chains = treeOf(values.map((value) => digitsOf(value)))
        for (const value of [...values, other]) {
          const expected = values.includes(value) ? leaf(digitsOf(value)).rule : undefined
          expect(walk(chains, digitsOf(value)).found).toBe(expected)
        }
      }),
    )
  })

  it('compares few rules, however many there are', () => {
    const all = Array.from({ length: 0x10000 }, (_, value) => digitsOf(value))
    const chains = treeOf(all)
    const compared = all
      .filter((_, index) => index % 17 === 0 || index === 0xffff)
      .map((digits) => walk(chains, digits).compared)
    expect(Math.max(...compared)).toBe(4 * 16)
    const thousand = treeOf(all.slice(10_000, 11_000))
    expect(Math.max(...all.slice(10_000, 11_000).map((digits) => walk(thousand, digits).compared))).toBeLessThan(40)
  })

  it('changes in one branch when a rule comes or goes', () => {
    const all = Array.from({ length: 1000 }, (_, index) => digitsOf(10_000 + index))
    const [before, after] = [treeOf(all), treeOf([...all, digitsOf(40_000)])]
    const differing = [...after].filter(([name, rules]) => rules.join() !== before.get(name)?.join())
    expect(differing.map(([name]) => name)).toEqual(['CULVERT-X', 'CULVERT-X-2'])
    const less = treeOf(all.filter((digits) => digits !== digitsOf(10_500)))
    expect([...less].filter(([name, rules]) => rules.join() !== before.get(name)?.join())).toHaveLength(1)
  })

  it('names no chain longer than the kernel takes, nor two alike, whatever addresses have in common', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }), { maxLength: 60 }), (values) => {
        const near = values.flatMap((value, index) => [value, value ^ (1n << BigInt(index % 128))])
        const all = [...new Set(near)].map((value) => value.toString(16).padStart(32, '0'))
        const chains = treeOf(all)
        for (const name of chains.keys()) expect(name.length).toBeLessThanOrEqual(28)
        for (const digits of all) expect(walk(chains, digits).found).toBe(leaf(digits).rule)
      }),
    )
  })
})
