import { type Family, families } from '../../lib/address.ts'
import { noLingering, type TrackedAddresses } from '../flows.ts'
import { type Entry, inOrder } from '../in-order.ts'
import { spreadOf } from '../spread.ts'
import { type AddressSet, byFamily, type ForwardingTable, targetAddress } from '../table.ts'

/** The sets and maps of our table: their content follows the table value, while the rules stay. */
export type SetName = `${'own' | 'ingress' | 'ports' | 'targets'}${Family}` | 'exempt'

/** The content of one of them: value by key, both as nft writes them; the value is empty in a set. */
type Content = ReadonlyMap<string, string>

export type Elements = ReadonlyMap<SetName, Content>

const addressType: Readonly<Record<Family, string>> = { 4: 'ipv4_addr', 6: 'ipv6_addr' }

/** The declarations of all sets and maps, in the order of `elementsOf`. */
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

/** What the kernel is to hold for `table`, and for lingering flows; rules spread the flows of several backends. */
export function elementsOf(table: ForwardingTable, lingering: TrackedAddresses = noLingering): Elements {
  const withMore = (set: AddressSet, more: ReadonlySet<string>): AddressSet => {
    const missing = [...more].filter((address) => !set.has(address))
    return missing.length === 0 ? set : new Map([...set, ...missing.map((address) => [address, ''] as const)])
  }
  return new Map<SetName, Content>([
    ...families.flatMap((family): [SetName, Content][] => [
      [`own${family}`, withMore(table.own[family], lingering.own[family])],
      [`ingress${family}`, spreadOf(table.ingress[family]).single],
      [`ports${family}`, table.ports[family]],
      [`targets${family}`, withMore(table.targets[family], lingering.targets[family])],
    ]),
    ['exempt', new Map(table.exempt.map((key) => [key, '']))],
  ])
}

/** The addresses by which the kernel recognises our flows. */
export const trackedIn = (elements: Elements): TrackedAddresses => ({
  own: byFamily((family) => new Set(elements.get(`own${family}`)?.keys())),
  targets: byFamily((family) => new Set(elements.get(`targets${family}`)?.keys())),
})

export const noElements: Elements = new Map()

/** One element that is added or deleted. */
export type Change = {
  readonly verb: 'add' | 'delete'
  readonly set: SetName
  readonly key: string
  readonly value: string
}

const none: Content = new Map()

/**
 * The changes that turn the elements `from` into `to`, in the order of execution. `follows`: both are of tables with
 * the same rules and the same lingering flows. Then `own` and `targets` differ only by addresses by which `ingress`
 * and `ports` do, and only these are compared.
 */
export function changes(from: Elements, to: Elements, follows = false): Change[] {
  const all = (set: SetName): Change[] => difference(set, from.get(set) ?? none, to.get(set) ?? none)
  const tracked = (set: SetName, by: readonly Change[], address: (change: Change) => string): Change[] => {
    if (!follows) return all(set)
    const some = by.map(address)
    const among = (elements: Elements): Content =>
      new Map(some.filter((key) => elements.get(set)?.has(key)).map((key) => [key, '']))
    return difference(set, among(from), among(to))
  }
  return [
    ...families.flatMap((family) => {
      const [ingress, ports] = [all(`ingress${family}`), all(`ports${family}`)]
      const own = tracked(`own${family}`, ingress, ({ key }) => key)
      const targets = tracked(`targets${family}`, ports, ({ value }) => targetAddress(value))
      return [...own, ...ingress, ...ports, ...targets]
    }),
    ...all('exempt'),
  ]
}

/**
 * The changes that turn one content of a set into another: deletions first. Most of it is the same at the start and at
 * the end, so that only the part between is compared.
 */
function difference(set: SetName, before: Content, after: Content): Change[] {
  if (before === after) return []
  const [former, next] = [inOrder(before), inOrder(after)]
  const start = sameAtStart(former, next)
  const end = sameAtEnd(former, next, start)
  const between = (entries: readonly Entry[]): readonly Entry[] => entries.slice(start, entries.length - end)
  const to =
    (verb: Change['verb']) =>
    (entry: Entry): Change => ({ verb, set, ...entry })
  return [
    ...between(former)
      .filter(({ key, value }) => after.get(key) !== value)
      .map(to('delete')),
    ...between(next)
      .filter(({ key, value }) => before.get(key) !== value)
      .map(to('add')),
  ]
}

const same = (one: Entry, other: Entry): boolean =>
  one === other || (one.key === other.key && one.value === other.value)

/** The number of equal elements from the start. A small function, since engines optimise such a loop soonest. */
function sameAtStart(one: readonly Entry[], other: readonly Entry[]): number {
  const most = Math.min(one.length, other.length)
  let count = 0
  while (count < most && same(one[count]!, other[count]!)) count += 1
  return count
}

/** The number of equal elements from the end, among those that are left after `start`. */
function sameAtEnd(one: readonly Entry[], other: readonly Entry[], start: number): number {
  const most = Math.min(one.length, other.length) - start
  let [count, at, opposite] = [0, one.length - 1, other.length - 1]
  while (count < most && same(one[at]!, other[opposite]!)) {
    count += 1
    at -= 1
    opposite -= 1
  }
  return count
}

/** An element as nft writes it. */
export const element = ({ key, value }: Pick<Change, 'key' | 'value'>): string =>
  value === '' ? key : `${key} : ${value}`
