import { type Family, families } from '../../lib/address.ts'
import type { Marks } from '../flows.ts'
import { byFamily, type ForwardingTable, targetsOf } from '../table.ts'

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
export function elementsOf(table: ForwardingTable, drained?: Marks): Elements {
  const keys = (...all: Iterable<string>[]): Map<string, string> =>
    new Map(all.flatMap((some) => [...some].map((key): [string, string] => [key, ''])))
  return new Map<SetName, ReadonlyMap<string, string>>([
    ...families.flatMap((family): [SetName, ReadonlyMap<string, string>][] => [
      [`own${family}`, keys(table.ingress[family].keys(), drained?.own[family] ?? [])],
      [`ingress${family}`, table.ingress[family]],
      [`ports${family}`, table.ports[family]],
      [`targets${family}`, keys(targetsOf(table, family), drained?.targets[family] ?? [])],
    ]),
    ['exempt', keys(table.exempt)],
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
 * What turns the elements `from` into `to`, in the order in which it is done: an element with another value goes before
 * it comes. Only what differs is looked at closely, so that a large table costs no more than to compare it.
 */
export function changes(from: Elements, to: Elements): Change[] {
  const list: Change[] = []
  for (const { name } of declarations) {
    const [before, after] = [from.get(name) ?? noElements, to.get(name) ?? noElements]
    if (before === after) continue
    for (const [key, value] of before) {
      if (after.get(key) !== value) list.push({ verb: 'delete', set: name, key, value })
    }
    for (const [key, value] of after) {
      if (before.get(key) !== value) list.push({ verb: 'add', set: name, key, value })
    }
  }
  return list
}

/** An element as nft writes it. */
export const element = ({ key, value }: Pick<Change, 'key' | 'value'>): string =>
  value === '' ? key : `${key} : ${value}`
