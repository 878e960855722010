import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Address, parseAddress } from '../../lib/address.ts'
import { type ForwardingInput, nothingReachable, planForwardingTable } from '../../netfilter/plan.ts'
import type { ForwardingTable } from '../../netfilter/table.ts'

const addresses = (...texts: string[]): Address[] =>
  texts.map((text) => parseAddress(text)).filter((value) => value !== undefined)
const [b4, b6, p4, p6] = ['10.0.0.9', 'fd00::9', '100.64.0.1', 'fd7a:115c:a1e0::1']
const [t4, t6] = ['100.64.0.9', 'fd7a:115c:a1e0::9']
const plan = (change: Partial<ForwardingInput>) =>
  planForwardingTable({
    device: 'tailscale0',
    targets: [],
    own: addresses(p4, p6),
    kernelFamilies: [4, 6],
    podFamilies: [4, 6],
    noSnat: false,
    targetPorts: undefined,
    catchAll: [],
    exempt: [],
    egress: [],
    ingress: undefined,
    ...change,
  })
const texts = (list: readonly Address[]) => list.map(({ text }) => text)
/** Each address with its only backend. */
const backendsOf = ({ table: { ingress } }: { table: ForwardingTable }) =>
  Object.fromEntries([...ingress[4], ...ingress[6]].map(([address, backends]) => [address, backends.join(' ')]))

it('maps a port to the current addresses of its target', () => {
  const ports = [{ protocol: 'tcp', matchPort: 80, targetPort: 8080 }] as const
  const leadsTo = (...to: string[]) => {
    const { table } = plan({ egress: [{ name: 'web', addresses: addresses(...to), ports }] })
    return [4, 6].map((family) => table.ports[family as 4 | 6].get('tcp . 80'))
  }
  expect(leadsTo(t4, t6)).toEqual([`${t4} . 8080`, `${t6} . 8080`])
  expect(leadsTo('100.64.0.8')).toEqual(['100.64.0.8 . 8080', undefined])
  expect(leadsTo(t4, t6)).toEqual([`${t4} . 8080`, `${t6} . 8080`])
})

describe('L3 ingress', () => {
  it.each<[string, Partial<ForwardingInput>, Record<string, string>, string[], boolean]>([
    ['both families', {}, { [p4]: b4, [p6]: b6 }, [], false],
    ['v4 only', { targets: addresses(b4) }, { [p4]: b4 }, [], false],
    [
      'several targets of a family, in any order',
      { targets: addresses(b4, b6, '10.0.0.10') },
      { [p4]: `10.0.0.10 ${b4}`, [p6]: b6 },
      [],
      false,
    ],
    ['v6 only', { targets: addresses(b6) }, { [p6]: b6 }, [], false],
    ['a kernel without v6', { kernelFamilies: [4] }, { [p4]: b4 }, [b6], false],
    ['a node without v6', { own: addresses(p4) }, { [p4]: b4 }, [b6], false],
    ['a node without v4', { own: addresses(p6) }, { [p6]: b6 }, [b4], false],
    ['only an unreachable target', { targets: addresses(b6), own: addresses(p4) }, {}, [b6], true],
    ['nothing possible', { own: [] }, {}, [b4, b6], true],
    [
      'two addresses of the node in a family',
      { own: addresses(p4, '100.64.0.2'), targets: addresses(b4) },
      { [p4]: b4, '100.64.0.2': b4 },
      [],
      false,
    ],
  ])('%s', (_name, change, mapping, unreachable, nothing) => {
    const planned = plan({ targets: addresses(b4, b6), ...change })
    expect(backendsOf(planned)).toEqual(mapping)
    expect(planned.unreachable.map(({ target }) => target.text)).toEqual(unreachable)
    expect(nothingReachable(planned)).toBe(nothing)
  })

  it('forwards only the ports that are listed, if any are', () => {
    const targetPorts = [{ protocol: 'tcp', first: 80, last: 90 }] as const
    const planned = plan({ targets: addresses(b4, '10.0.0.10', b6), targetPorts, own: addresses(p4, '100.64.0.2') })
    expect(backendsOf(planned)).toEqual({})
    const byPort = { addresses: [p4, '100.64.0.2'], backends: ['10.0.0.10', b4], ports: targetPorts }
    expect(planned.table.ingressByPort).toEqual({ 4: byPort, 6: undefined })
    // By these the guard and the masquerade recognise flows.
    expect([...planned.table.own[4].keys()]).toEqual([p4, '100.64.0.2'])
    expect(nothingReachable(planned)).toBe(false)
    expect(nothingReachable(plan({ targets: addresses(b6), targetPorts, own: addresses(p4) }))).toBe(true)
    expect(planned.unreachable.map(({ target }) => target.text)).toEqual([b6])
  })

  it('names the family, and whether the kernel or the node lacks it', () => {
    const targets = addresses(b6)
    expect(plan({ targets, kernelFamilies: [4] }).unreachable[0]?.reason).toMatch(/kernel does not forward IPv6/)
    expect(plan({ targets, own: addresses(p4) }).unreachable[0]?.reason).toMatch(/node has no IPv6 address/)
  })

  it('does not masquerade if tailscaled does not', () => {
    expect(plan({ noSnat: true }).table.masquerade).toBe(false)
  })
})

describe('L3 egress', () => {
  it.each<[string, Partial<ForwardingInput>, [string | undefined, string | undefined], string[], boolean]>([
    ['both families', {}, [t4, t6], [], false],
    ['v4 only', { catchAll: addresses(t4) }, [t4, undefined], [], false],
    ['v6 only', { catchAll: addresses(t6) }, [undefined, t6], [], false],
    ['no target yet', { catchAll: [] }, [undefined, undefined], [], false],
    ['a kernel without v6', { kernelFamilies: [4] }, [t4, undefined], [t6], false],
    ['a node without v4', { own: addresses(p6) }, [undefined, t6], [t4], false],
    ['a Pod without v6, which is no failure', { podFamilies: [4] }, [t4, undefined], [], false],
    [
      'a Pod that has none of its families',
      { podFamilies: [6], catchAll: addresses(t4) },
      [undefined, undefined],
      [t4],
      true,
    ],
    [
      'a Pod and a node without a common family',
      { podFamilies: [6], own: addresses(p4) },
      [undefined, undefined],
      [t4, t6],
      true,
    ],
    ['nothing possible', { catchAll: addresses(t6), own: addresses(p4) }, [undefined, undefined], [t6], true],
    ['two addresses of a family', { catchAll: addresses(t4, '100.64.0.10') }, [t4, undefined], [], false],
  ])('%s', (_name, change, [all4, all6], unreachable, nothing) => {
    const planned = plan({ catchAll: addresses(t4, t6), exempt: ['udp . 41641', 'tcp . 9002'], ...change })
    expect(planned.table.catchAll).toEqual({ 4: all4, 6: all6 })
    expect(texts(planned.unreachable.map(({ target }) => target))).toEqual(unreachable)
    expect(nothingReachable(planned)).toBe(nothing)
  })

  it('exempts ports only with a catch-all target', () => {
    expect(plan({ catchAll: addresses(t4), exempt: ['udp . 41641', 'tcp . 9002'] }).table.exempt).toEqual([
      'tcp . 9002',
      'udp . 41641',
    ])
    expect(plan({ exempt: ['tcp . 9002'] }).table.exempt).toEqual([])
  })

  it("uses the node's address as source", () => {
    expect(plan({}).table.source).toEqual({ 4: p4, 6: p6 })
    expect(plan({ own: addresses(p6) }).table.source).toEqual({ 4: undefined, 6: p6 })
  })
})

const ports = [
  { protocol: 'tcp', matchPort: 10_000, targetPort: 443 },
  { protocol: 'udp', matchPort: 10_001, targetPort: 53 },
] as const

describe('ProxyGroup egress', () => {
  it.each<[string, Partial<ForwardingInput>, string[], string[], string[]]>([
    ['both families', {}, [t4, t6], [`${t4} . 443`, `${t4} . 53`, `${t6} . 443`, `${t6} . 53`], []],
    ['a node without v6', { own: addresses(p4) }, [t4], [`${t4} . 443`, `${t4} . 53`], [t6]],
    ['a kernel without v6', { kernelFamilies: [4] }, [t4], [`${t4} . 443`, `${t4} . 53`], [t6]],
    ['a Pod without v6', { podFamilies: [4] }, [t4], [`${t4} . 443`, `${t4} . 53`], []],
    ['a Pod and a node without a common family', { podFamilies: [6], own: addresses(p4) }, [], [], [t4, t6]],
  ])('%s', (_name, change, programmed, targets, unreachable) => {
    const planned = plan({ egress: [{ name: 'db', addresses: addresses(t4, t6), ports }], ...change })
    expect([...planned.table.ports[4].values(), ...planned.table.ports[6].values()]).toEqual(targets)
    const service = planned.egress.get('db')
    expect(texts(service?.programmed ?? [])).toEqual(programmed)
    expect(service?.unreachable.map(({ target }) => target.text)).toEqual(unreachable)
    expect(planned.unreachable).toEqual([])
  })

  it('maps nothing for an unknown target', () => {
    const planned = plan({ egress: [{ name: 'db', addresses: [], ports }] })
    expect(planned.table.ports[4].size + planned.table.ports[6].size).toBe(0)
    expect(planned.egress.get('db')).toEqual({ programmed: [], unreachable: [] })
  })

  it('does not depend on the order of services', () => {
    const services = fc.uniqueArray(
      fc.record({
        name: fc.stringMatching(/^[a-z]{1,3}$/),
        addresses: fc.subarray(addresses(t4, t6)),
        port: fc.integer({ min: 1, max: 65_535 }),
      }),
      { selector: ({ port }) => port, maxLength: 10 },
    )
    const input = (list: { name: string; addresses: Address[]; port: number }[]) =>
      list.map(({ name, addresses: to, port }) => ({
        name: `${name}${port}`,
        addresses: to,
        ports: [{ protocol: 'tcp' as const, matchPort: port, targetPort: port }],
      }))
    fc.assert(
      fc.property(
        services.chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))),
        ([one, other]) => {
          expect(plan({ egress: input(one) })).toEqual(plan({ egress: input(other) }))
        },
      ),
    )
  })
})

describe('ProxyGroup ingress', () => {
  const [vip4, vip6] = ['100.100.0.1', 'fd7a:115c:a1e0::64']
  const mapping = (address: string, backend: string) => ({
    address: parseAddress(address),
    backend: addresses(backend)[0]!,
  })
  it.each<[string, Partial<ForwardingInput>, Record<string, string>, string[], string[]]>([
    ['both families', {}, { [vip4]: b4, [vip6]: b6 }, [vip4, vip6], []],
    ['any families of the node', { own: addresses(p4) }, { [vip4]: b4, [vip6]: b6 }, [vip4, vip6], []],
    ['a kernel without v6', { kernelFamilies: [4] }, { [vip4]: b4 }, [vip4], [vip6]],
    ['a Pod without v6', { podFamilies: [4] }, { [vip4]: b4 }, [vip4], [vip6]],
  ])('%s', (_name, change, mappings, programmed, unreachable) => {
    const planned = plan({
      ingress: [{ name: 'svc:web', mappings: [mapping(vip4, b4), mapping(vip6, b6)] }],
      ...change,
    })
    expect(backendsOf(planned)).toEqual(mappings)
    expect(planned.table.refuseUnmapped).toBe(true)
    const service = planned.ingress.get('svc:web')
    expect(texts(service?.programmed ?? [])).toEqual(programmed)
    expect(service?.unreachable.map(({ target }) => target.text)).toEqual(unreachable)
  })

  it('maps only families with an address of the Tailscale Service', () => {
    const planned = plan({ ingress: [{ name: 'svc:web', mappings: [mapping('', b4), mapping(vip6, b6)] }] })
    expect([planned.table.ingress[4].size, planned.table.ingress[6].size]).toEqual([0, 1])
    expect(texts(planned.ingress.get('svc:web')?.programmed ?? [])).toEqual([vip6])
  })

  it('refuses unmapped services in this mode only', () => {
    expect(plan({}).table.refuseUnmapped).toBe(false)
    expect(plan({ ingress: [] }).table.refuseUnmapped).toBe(true)
  })
})
