import { families } from '../lib/address.ts'
import type { RunCommand } from '../lib/command.ts'
import { CulvertError } from '../lib/errors.ts'
import { sleep } from '../lib/timers.ts'
import { endFlows, listFlows } from './conntrack.ts'
import { type IsGone, judge, type Marks } from './flows.ts'
import {
  type Change,
  changes,
  type Elements,
  elementsOf,
  isDrained,
  marksOf,
  noDrained,
  noElements,
} from './nftables/elements.ts'
import type { Generation, Listener } from './nftables/monitor.ts'
import type { Nftables } from './nftables/nftables.ts'
import {
  announcedRules,
  announcement,
  outline,
  renderChanges,
  renderExchange,
  renderSkeleton,
  renderTable,
  tableName,
} from './nftables/render.ts'
import type { ReadBack } from './nftables/read-back.ts'
import { emptyTable, type ForwardingTable } from './table.ts'

export type Firewall = {
  /**
   * Makes the kernel hold `table` and proves it by what the kernel says of it. Writes nothing when it does already.
   * Established flows go on where their translation stays; `judge` in flows.ts says which do where it goes.
   * @returns whether the kernel had to be changed.
   * @throws CulvertError `netfilter`, or `not-held` when it was read back otherwise; after the first the kernel then holds the former rules, since each change is one transaction.
   */
  readonly ensure: (table: ForwardingTable) => Promise<boolean>
  /**
   * Before the first table is known: makes sure that connection tracking runs and that nothing leaves in the clear. A
   * table that an earlier container left in this network namespace stays, so that its flows go on.
   * @returns whether there was none.
   */
  readonly prepare: () => Promise<boolean>
  /** Ends all translated flows, so that whoever sends on meets a reset, while new ones are carried. Gives how many connections were open. */
  readonly endFlows: () => Promise<number>
  /** Ends all translated flows and deletes the table. Flows first: without rules their packets would leave in the clear. */
  readonly remove: () => Promise<void>
  /** Whether the tailnet has lost an address whose mapping went before, and flows of which went on: the next `ensure` ends them. */
  readonly overdue: () => boolean
  /** What is known of the kernel's rules may be wrong: the next `ensure` reads them whole. */
  readonly suspect: () => void
  /** For the monitor. `changed` is called when somebody else has changed our table, with whom, or may have unseen. */
  readonly listener: (changed: (by?: string) => void) => Listener
}

export type FirewallOptions = {
  readonly nft: Nftables
  readonly run: RunCommand
  readonly isGone: IsGone
  /** The Pod's own addresses. */
  readonly localAddresses: () => readonly string[]
}

/**
 * The kernel's table as it was last proven. `shape` is the skeleton that its rules were loaded from, undefined if unknown;
 * `ours` whether its chains and sets are those that were loaded.
 */
type Held = { readonly ours: boolean; readonly shape: string | undefined; readonly elements: Elements }

/** The kernel announces a transaction before it acknowledges it; the monitor has to be scheduled, and read. In ms. */
const announcedMs = 1000

/** The forwarding table in the kernel, by nftables. Calls must not overlap, but that `endFlows` may come at any time. */
export function firewall({ nft, run, isGone, localAddresses }: FirewallOptions): Firewall {
  /** The skeleton that was loaded last, and how it was listed right after: equal means untouched since. */
  let loaded: ({ readonly shape: string } & Pick<ReadBack, 'definitions' | 'rules'>) | undefined
  let held: Held | undefined
  /** Counts what makes `held` doubtful, so that what happens during an attempt is not forgotten at its end. */
  let doubts = 0
  let drained: Marks = noDrained
  /** Whether the monitor runs: without, nothing is known for longer than a moment. */
  let listening = false
  /** The outlines of what was loaded and is still to be announced. */
  let loads: string[] = []
  let expected: { readonly lines: string; readonly heard: (ours: boolean) => void } | undefined

  const doubt = (): void => {
    doubts += 1
    held = undefined
  }
  const trust = (now: Held | undefined, since: number): void => {
    if (doubts === since) held = now
  }

  const look = async (): Promise<Held | undefined> => {
    const now = await nft.list()
    if (now === undefined) return undefined
    const ours = now.definitions === loaded?.definitions
    return { ours, shape: ours && now.rules === loaded?.rules ? loaded?.shape : undefined, elements: now.elements }
  }

  const replace = async (table: ForwardingTable, elements: Elements, before?: Held): Promise<void> => {
    if (listening) loads.push(rulesOf(outline(table)))
    await nft.load(before?.ours ? renderExchange(table, before.elements, elements) : renderTable(table, elements))
    const now = await nft.list()
    if (now === undefined || now.outline.join('\n') !== outline(table).join('\n')) throw notHeld()
    if (changes(now.elements, elements).length > 0) throw notHeld()
    loaded = { shape: renderSkeleton(table), definitions: now.definitions, rules: now.rules }
  }

  /** Whether the kernel announces exactly these changes, as soon as it has. */
  const announced = (list: readonly Change[], work: () => Promise<void>): Promise<boolean> => {
    if (!listening) return work().then(() => false)
    const over = new AbortController()
    const heard = new Promise<boolean>((resolve) => {
      expected = { lines: announcement(list).join('\n'), heard: resolve }
    })
    return work()
      .then(() => Promise.race([heard, sleep(announcedMs, over.signal).then(() => false)]))
      .finally(() => {
        expected = undefined
        over.abort()
      })
  }

  const change = async (list: readonly Change[], elements: Elements, shape: string): Promise<void> => {
    if (list.length === 0) return
    if (await announced(list, () => nft.change(renderChanges(list)))) return
    const now = await look()
    if (now?.shape !== shape || changes(now.elements, elements).length > 0) throw notHeld()
  }

  const endAll = async (elements: Elements): Promise<number> => {
    const all = { known: marksOf(elements), table: emptyTable, isGone: () => true, local: new Set<string>() }
    const { ended } = judge(await listFlows(run), all)
    await endFlows(run, ended)
    return ended.filter(({ protocol, closed }) => protocol === 'tcp' && !closed).length
  }

  return {
    ensure: async (table) => {
      const since = doubts
      const shape = renderSkeleton(table)
      const known = listening ? held : undefined
      const before = known ?? (await look())
      held = undefined
      const keeps = before?.shape === shape
      const former = before?.elements ?? noElements
      // What is known was made of a table too, and what was drained then still is.
      const due = changes(former, elementsOf(table, drained), keeps && known !== undefined)
      const settled = keeps && due.length === 0
      if (settled && !isDrained(drained)) {
        trust(before, since)
        return false
      }
      const concerned = !keeps || isDrained(drained) || due.some(concernsFlows)
      const marks = concerned ? marksOf(former) : noDrained
      let elements = elementsOf(table, concerned ? marks : drained)
      if (keeps) await change(concerned ? changes(former, elements) : due, elements, shape)
      else await replace(table, elements, before)
      if (concerned) {
        // Nothing begins by the former rules any more, and the guard covers what did until it has ended.
        const facts = { known: marks, table, isGone, local: new Set(localAddresses()) }
        const verdict = judge(await listFlows(run), facts)
        drained = verdict.drained
        await endFlows(run, verdict.ended)
        const marked = elements
        elements = elementsOf(table, drained)
        await change(changes(marked, elements), elements, shape)
      }
      trust({ ours: true, shape, elements }, since)
      return !settled
    },

    prepare: async () => {
      if ((await nft.list()) !== undefined) return false
      // A node that comes back may be sent what is for Tailscale Services from its first moment on.
      const first = { ...emptyTable, refuseUnmapped: true }
      await replace(first, elementsOf(first))
      return true
    },

    endFlows: async () => {
      const now = await nft.list()
      return now === undefined ? 0 : endAll(now.elements)
    },

    remove: async () => {
      held = undefined
      const before = await nft.list()
      if (before === undefined) return
      await endAll(before.elements)
      await nft.load(`delete table inet ${tableName}\n`)
    },

    overdue: () =>
      families.some((family) =>
        (['own', 'targets'] as const).some((kind) =>
          [...drained[kind][family]].some((text) => isGone(kind === 'own' ? kind : 'target', { family, text })),
        ),
      ),

    suspect: doubt,

    listener: (changed) => {
      const hear = ({ lines, by }: Generation): void => {
        // What comes before it has begun is looked at then, as a whole.
        if (!listening) return
        if (expected?.lines === lines.join('\n')) return expected.heard(true)
        const load = loads.indexOf(announcedRules(lines).join('\n'))
        if (load >= 0) {
          loads.splice(0, load + 1)
          return
        }
        doubt()
        expected?.heard(false)
        changed(by)
      }
      return {
        begun: () => {
          listening = true
          loads = []
          doubt()
          changed()
        },
        generation: hear,
        ended: () => {
          listening = false
        },
      }
    },
  }
}

const notHeld = (): CulvertError =>
  new CulvertError('not-held', 'the kernel does not hold the rules that it has just accepted', {
    remedy: 'Another program is changing the table inet culvert at the same time; find and stop it.',
  })

const rulesOf = (lines: readonly string[]): string => lines.filter((line) => line.includes(': ')).join('\n')

/** Whether there may be flows to end: of a translation that goes, or without a connection where one comes. */
const concernsFlows = ({ verb, set, key }: Change): boolean =>
  set !== 'exempt' && (verb === 'delete' || set.startsWith('ingress') || key.startsWith('udp'))
