import { type Family, families } from '../../lib/address.ts'
import type { Marks } from '../flows.ts'
import { type AddressSet, byFamily, type ForwardingTable } from '../table.ts'

/** The sets and maps of our table: what follows the value, while the rules stay. */
export type SetName = `${'own' | 'ingress' | 'ports' | 'targets'}${Family}` | 'exempt'

/** What each of them holds: value by key, both as nft writes them; the value is empty in a set. */
export type Elements = ReadonlyMap<SetName, ReadonlyMap<string, string>>

const addressType: Readonly<Record<Family, string>> = { 4: 'ipv4_addr', 6: 'ipv6_addr' }

/** The declarations of all sets and maps, in the order in which `elementsOf` has them. */
export const declarations: readonly { readonly name: SetName; readonly text: string }[] = [
  ...families.flatMap((family) => {
    const address = addressType[family]
    const entry = (name: SetName, kind: 'set' | 'map', type: string) => ({
      name,
      text: `${kind} ${name} { type ${type}; }`,
    })
    return [
      entry(`own${family}`, 'set', address),
      entry(`ingress${family}`, 'map', `${address} : ${address}`),
      entry(`ports${family}`, 'map', `inet_proto . inet_service : ${address} . inet_service`),
      entry(`targets${family}`, 'set', address),
    ]
  }),
  { name: 'exempt', text: 'set exempt { type inet_proto . inet_service; }' },
]

/** What the kernel is to hold for `table`, and for the flows of what is drained. */
export function elementsOf(table: ForwardingTable, drained: Marks = noDrained): Elements {
  const withMore = (set: AddressSet, more: ReadonlySet<string>): AddressSet => {
    const missing = [...more].filter((address) => !set.has(address))
    return missing.length === 0 ? set : new Map([...set, ...missing.map((address) => [address, ''] as const)])
  }
  return new Map<SetName, ReadonlyMap<string, string>>([
    ...families.flatMap((family): [SetName, ReadonlyMap<string, string>][] => [
      [`own${family}`, withMore(table.own[family], drained.own[family])],
      [`ingress${family}`, table.ingress[family]],
      [`ports${family}`, table.ports[family]],
      [`targets${family}`, withMore(table.targets[family], drained.targets[family])],
    ]),
    ['exempt', new Map(table.exempt.map((key) => [key, '']))],
  ])
}

/** The addresses by which the kernel knows our flows. */
export const marksOf = (elements: Elements): Marks => ({
  own: byFamily((family) => new Set(elements.get(`own${family}`)?.keys())),
  targets: byFamily((family) => new Set(elements.get(`targets${family}`)?.keys())),
})

export const noDrained: Marks = marksOf(new Map())

/** Whether any flows are drained. */
export const isDrained = ({ own, targets }: Marks): boolean =>
  families.some((family) => own[family].size > 0 || targets[family].size > 0)

/** One element that comes or goes. */
export type Change = {
  readonly verb: 'add' | 'delete'
  readonly set: SetName
  readonly key: string
  readonly value: string
}

const noElements: ReadonlyMap<string, string> = new Map()

/**
 * What turns the elements `from` into `to`, in the order in which it is done: what goes goes before anything comes. Both
 * are gone through side by side, since most of them are the same in the same order: only where they are not, something
 * is looked up.
 */
export function changes(from: Elements, to: Elements): Change[] {
  const list: Change[] = []
  for (const { name: set } of declarations) {
    const [before, after] = [from.get(set) ?? noElements, to.get(set) ?? noElements]
    if (before === after) continue
    const added: Change[] = []
    const gone = (key: string, value: string): unknown => list.push({ verb: 'delete', set, key, value })
    const former = before.entries()
    let old = former.next().value
    for (const [key, value] of after) {
      for (; old !== undefined && old[0] !== key && !after.has(old[0]); old = former.next().value) gone(...old)
      const beside = old?.[0] === key ? old : undefined
      if (beside !== undefined) old = former.next().value
      const held = beside === undefined ? before.get(key) : beside[1]
      if (held === value) continue
      if (held !== undefined) gone(key, held)
      added.push({ verb: 'add', set, key, value })
    }
    for (; old !== undefined; old = former.next().value) if (!after.has(old[0])) gone(...old)
    list.push(...added)
  }
  return list
}

/** An element as nft writes it. */
export const element = ({ key, value }: Pick<Change, 'key' | 'value'>): string =>
  value === '' ? key : `${key} : ${value}`
