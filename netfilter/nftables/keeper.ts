import type { RunCommand } from '../../lib/command.ts'
import { CulvertError } from '../../lib/errors.ts'
import { endFlows, listFlows } from '../conntrack.ts'
import type { Firewall } from '../firewall.ts'
import { anyLingering, anyOverdue, classifyFlows, noLingering, type TrackedAddresses } from '../flows.ts'
import { emptyTable, type ForwardingTable } from '../table.ts'
import { announcements } from './announcements.ts'
import { type Change, changes, type Elements, elementsOf, noElements, trackedIn } from './elements.ts'
import type { Listener } from './monitor.ts'
import { isPresent, type Nftables } from './nftables.ts'
import {
  outline,
  renderChanges,
  renderExchange,
  renderNewTable,
  renderSkeleton,
  renderTable,
  tableName,
} from './render.ts'
import type { ReadBack } from './read-back.ts'

export type KeeperOptions = {
  readonly nft: Nftables
  readonly run: RunCommand
  /** The Pod's own addresses. */
  readonly localAddresses: () => readonly string[]
  /** Called when another program has changed our table, with its name, or may have without notice. */
  readonly changed?: (by?: string) => void
}

/**
 * Keeps the forwarding table in the kernel, by nftables. `listener` is for the monitor; without one each check is a
 * full one.
 */
export type Keeper = Firewall & { readonly listener: Listener }

/**
 * The kernel's table as last verified. `shape` is the skeleton that its rules were loaded from, undefined if unknown;
 * `ours` says whether its chains and sets are the loaded ones.
 */
type Proven = { readonly ours: boolean; readonly shape: string | undefined; readonly elements: Elements }

export function keeper({ nft, run, localAddresses, changed = () => {} }: KeeperOptions): Keeper {
  /**
   * The skeleton that was loaded last, and its listing right after that: an equal listing means that nothing has
   * changed.
   */
  let loaded: ({ readonly shape: string } & Pick<ReadBack, 'definitions' | 'rules'>) | undefined
  let cached: Proven | undefined
  /** Counts invalidations, so that one during an attempt is not lost at its end. */
  let invalidations = 0
  let lingering: TrackedAddresses = noLingering

  const invalidate = (): void => {
    invalidations += 1
    cached = undefined
  }
  const remember = (now: Proven | undefined, since: number): void => {
    if (invalidations === since) cached = now
  }
  const announced = announcements((by) => {
    invalidate()
    changed(by)
  })

  const look = async (): Promise<Proven | undefined> => {
    const now = await nft.list()
    if (now === undefined) return undefined
    const ours = now.definitions === loaded?.definitions
    return { ours, shape: ours && now.rules === loaded?.rules ? loaded?.shape : undefined, elements: now.elements }
  }

  /** `before`: the table that is there; undefined if none is. */
  const replace = async (table: ForwardingTable, elements: Elements, before?: Proven): Promise<void> => {
    const forget = announced.expectRules(outline(table))
    const rules =
      before === undefined
        ? renderNewTable(table, elements)
        : before.ours
          ? renderExchange(table, before.elements, elements)
          : renderTable(table, elements)
    await nft.load(rules).catch((error: unknown) => {
      forget()
      throw error
    })
    const now = await nft.list()
    if (now === undefined || now.outline.join('\n') !== outline(table).join('\n')) throw verificationFailed()
    if (changes(now.elements, elements).length > 0) throw verificationFailed()
    loaded = { shape: renderSkeleton(table), definitions: now.definitions, rules: now.rules }
  }

  const change = async (list: readonly Change[], elements: Elements, shape: string): Promise<void> => {
    if (list.length === 0) return
    if (await announced.confirm(list, () => nft.change(renderChanges(list)))) return
    const now = await look()
    if (now?.shape !== shape || changes(now.elements, elements).length > 0) throw verificationFailed()
  }

  const endAll = async (elements: Elements): Promise<number> => {
    const all = { known: trackedIn(elements), table: emptyTable, isGone: () => true, local: new Set<string>() }
    const flows = await listFlows(run)
    const { ended } = classifyFlows(flows, all)
    await endFlows(run, { flows, ended, table: emptyTable })
    return ended.filter(({ protocol, closed }) => protocol === 'tcp' && !closed).length
  }

  return {
    ensure: async (table, isGone) => {
      const since = invalidations
      const shape = renderSkeleton(table)
      const known = announced.complete() ? cached : undefined
      const before = known ?? (await look())
      cached = undefined
      const keeps = before?.shape === shape
      const former = before?.elements ?? noElements
      // The known state was computed from a table too, with the flows that lingered then and still do.
      const due = changes(former, elementsOf(table, lingering), keeps && known !== undefined)
      const settled = keeps && due.length === 0
      if (settled && !anyLingering(lingering)) {
        remember(before, since)
        return false
      }
      const concerned = !keeps || anyLingering(lingering) || due.some(concernsFlows)
      const tracked = concerned ? trackedIn(former) : noLingering
      let elements = elementsOf(table, concerned ? tracked : lingering)
      if (keeps) await change(concerned ? changes(former, elements) : due, elements, shape)
      else await replace(table, elements, before)
      if (concerned) {
        // No new flow uses the old rules any more, and the guard covers the old ones until they end.
        const flows = await listFlows(run)
        const facts = { known: tracked, table, isGone, local: new Set(localAddresses()) }
        const classified = classifyFlows(flows, facts)
        lingering = classified.lingering
        await endFlows(run, { flows, ended: classified.ended, table })
        const guarded = elements
        elements = elementsOf(table, lingering)
        await change(changes(guarded, elements), elements, shape)
      }
      remember({ ours: true, shape, elements }, since)
      return !settled
    },

    prepare: async (device) => {
      // A returning node may get traffic for Tailscale Services from the first moment.
      const first = { ...emptyTable, device, refuseUnmapped: true }
      try {
        // Without looking for a table first, since tailscaled waits for this.
        await replace(first, elementsOf(first))
        return true
      } catch (error) {
        if (isPresent(error)) return false
        throw error
      }
    },

    endFlows: async () => {
      const now = await nft.list()
      return now === undefined ? 0 : endAll(now.elements)
    },

    remove: async () => {
      cached = undefined
      const before = await nft.list()
      if (before === undefined) return
      await endAll(before.elements)
      await nft.load(`delete table inet ${tableName}\n`)
    },

    overdue: (isGone) => anyOverdue(lingering, isGone),
    invalidate,
    listener: announced.listener,
  }
}

const verificationFailed = (): CulvertError =>
  new CulvertError('verification-failed', 'the kernel does not hold the rules that it has just accepted', {
    remedy: 'Another program is changing the table inet culvert at the same time; find and stop it.',
  })

/** Whether there may be flows to end: those of a removed translation, or connectionless ones of a new translation. */
const concernsFlows = ({ verb, set, key }: Change): boolean =>
  set !== 'exempt' && (verb === 'delete' || set.startsWith('ingress') || key.startsWith('udp'))
