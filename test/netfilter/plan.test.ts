import { describe, expect, it } from 'vitest'
import { type Address, parseAddress } from '../../lib/address.ts'
import { type IngressInput, nothingReachable, planIngress } from '../../netfilter/plan.ts'

const addresses = (...texts: string[]): Address[] =>
  texts.map((text) => parseAddress(text)).filter((value) => value !== undefined)
const [b4, b6, p4, p6] = ['10.0.0.9', 'fd00::9', '100.64.0.1', 'fd7a:115c:a1e0::1']
const input = (change: Partial<IngressInput>): IngressInput => ({
  targets: addresses(b4, b6),
  own: addresses(p4, p6),
  kernelFamilies: [4, 6],
  noSnat: false,
  ...change,
})

describe('planIngress', () => {
  it.each<[string, Partial<IngressInput>, Record<string, string>, string[], boolean]>([
    ['both families', {}, { [p4]: b4, [p6]: b6 }, [], false],
    ['v4 only', { targets: addresses(b4) }, { [p4]: b4 }, [], false],
    ['v6 only', { targets: addresses(b6) }, { [p6]: b6 }, [], false],
    ['a kernel without v6', { kernelFamilies: [4] }, { [p4]: b4 }, [b6], false],
    ['a node without v6', { own: addresses(p4) }, { [p4]: b4 }, [b6], false],
    ['a node without v4', { own: addresses(p6) }, { [p6]: b6 }, [b4], false],
    ['only an impossible target', { targets: addresses(b6), own: addresses(p4) }, {}, [b6], true],
    ['nothing possible', { own: [] }, {}, [b4, b6], true],
    [
      'two own addresses of a family',
      { own: addresses(p4, '100.64.0.2'), targets: addresses(b4) },
      { [p4]: b4, '100.64.0.2': b4 },
      [],
      false,
    ],
  ])('%s', (_name, change, mapping, unreachable, nothing) => {
    const plan = planIngress(input(change))
    expect(Object.fromEntries([...plan.table.ingress[4], ...plan.table.ingress[6]])).toEqual(mapping)
    expect(plan.unreachable.map(({ target }) => target.text)).toEqual(unreachable)
    expect(nothingReachable(plan)).toBe(nothing)
  })

  it('names the family and who lacks it', () => {
    const kernel = planIngress(input({ kernelFamilies: [4] })).unreachable[0]?.reason
    const node = planIngress(input({ own: addresses(p4) })).unreachable[0]?.reason
    expect(kernel).toMatch(/kernel has no IPv6/)
    expect(node).toMatch(/node has no IPv6 address/)
  })

  it('leaves clients’ addresses alone where the daemon does', () => {
    expect(planIngress(input({ noSnat: true })).table.masquerade).toBe(false)
  })
})
