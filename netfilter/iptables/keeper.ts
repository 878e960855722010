import { type Family, familyName } from '../../lib/address.ts'
import type { RunCommand } from '../../lib/command.ts'
import { CulvertError } from '../../lib/errors.ts'
import { endFlows, listFlows } from '../conntrack.ts'
import type { Firewall } from '../firewall.ts'
import {
  anyLingering,
  anyOverdue,
  type Classification,
  classifyFlows,
  type Flow,
  type IsGone,
  noLingering,
  type TrackedAddresses,
} from '../flows.ts'
import { byFamily, emptyTable, type ForwardingTable } from '../table.ts'
import { type Change, changes, differOnlyInOrder, named, noRules, renderChanges } from './changes.ts'
import type { Iptables } from './iptables.ts'
import { type Held, readListing } from './listing.ts'
import { kindOf } from './marks.ts'
import { type Rules, rulesOf } from './rules.ts'

export type KeeperOptions = {
  /** For the families that can be used here. */
  readonly iptables: readonly Iptables[]
  readonly run: RunCommand
  /** Whether connections can be listed and ended. If not, they go on as they began. */
  readonly followsFlows: boolean
  /** The Pod's own addresses. */
  readonly localAddresses: () => readonly string[]
}

/** Keeps the forwarding table in the kernel, with iptables. */
export type Keeper = Firewall & {
  /**
   * Checks whether the kernel still has the rules that were verified last. Returns the differences, as an empty text if
   * only rules of others have come before ours; undefined if there are none, or if nothing has been verified.
   */
  readonly look: () => Promise<string | undefined>
}

/** The rules of a family in the kernel. */
type Reading = { readonly listing: string; readonly held: Held }

async function read(one: Iptables): Promise<Reading> {
  const listing = await one.save()
  return { listing, held: readListing(listing) }
}

/** Several attempts fail only if another program changes our rules at the same time. */
const attempts = 2

/**
 * Changes the kernel's rules to these, and returns those that were then read back.
 * @throws CulvertError `verification-failed` if they differ.
 */
async function write(
  one: Iptables,
  before: Reading,
  wanted: Rules,
  inOrder = (list: readonly Change[]): readonly Change[] => list,
): Promise<Reading> {
  let now = before
  for (let attempt = 0; ; attempt += 1) {
    const list = changes(now.held, wanted)
    if (list.length === 0) return now
    if (attempt === attempts) throw verificationFailed(one.family, list)
    await one.restore(renderChanges(inOrder(list)))
    now = await read(one)
  }
}

export function keeper({ iptables, run, followsFlows, localAddresses }: KeeperOptions): Keeper {
  /** The rules that were verified last, by family. */
  const proven = new Map<Family, Reading & { readonly wanted: Rules }>()
  /** Counts invalidations, so that one during an attempt is not lost when the attempt ends. */
  let invalidations = 0
  let lingering: TrackedAddresses = noLingering
  /** Whether flows were classified by the rules that were verified last. */
  let settled = false

  /**
   * Writes these rules if necessary, and returns whether it was: not if tailscaled had only put its own before them, as it
   * does at each start. `reading` is what has just been read, if anything.
   */
  const make = async (one: Iptables, wanted: Rules, reading?: Reading): Promise<boolean> => {
    const since = invalidations
    const before = reading ?? proven.get(one.family) ?? (await read(one))
    // Unknown during the change and after a failure.
    proven.delete(one.family)
    const now = await write(one, before, wanted)
    if (invalidations === since) proven.set(one.family, { ...now, wanted })
    return now !== before && !differOnlyInOrder(before.held, wanted)
  }

  /** Does this for each family, independent of failures of the other; one after the other, since they share a lock. */
  const each = async <T>(work: (one: Iptables) => Promise<T>): Promise<Outcome<T>> => {
    const [results, failures]: [T[], unknown[]] = [[], []]
    for (const one of iptables) {
      await work(one).then(
        (result) => results.push(result),
        (error: unknown) => failures.push(error),
      )
    }
    return { results, failures }
  }

  /** Ends the flows that cannot continue with the rules of this table. */
  const settle = async (table: ForwardingTable, isGone: IsGone): Promise<Classification> => {
    if (!followsFlows) return { ended: [], lingering: noLingering }
    const flows = await listFlows(run)
    const facts = { known: trackedBy(flows), table, isGone, local: new Set(localAddresses()) }
    const classified = classifyFlows(flows.filter(mayBeOurs), facts)
    await endFlows(run, { flows, ended: classified.ended, table })
    return classified
  }

  const endAll = async (): Promise<number> => {
    const { ended } = await settle(emptyTable, () => true)
    return ended.filter(({ protocol, closed }) => protocol === 'tcp' && !closed).length
  }

  const invalidate = (): void => {
    invalidations += 1
    proven.clear()
  }

  return {
    ensure: async (table, isGone) => {
      const rules = byFamily((family) => rulesOf(table, family))
      // An earlier attempt may have failed after a change, without classifying the flows.
      const due = !settled || anyLingering(lingering)
      settled = false
      const made = await each((one) => make(one, rules[one.family]))
      const changed = made.results.includes(true)
      // No new flow uses the old rules any more, and the guard recognises the old flows by their marks.
      if (changed || due) lingering = (await settle(table, isGone)).lingering
      orThrow(made)
      settled = true
      return changed
    },

    prepare: async (device) => {
      const made = await each(async (one) => {
        const now = await read(one)
        if (now.held.mangle.jumps.some(({ to }) => to === guard)) return false
        // A restarted node may get traffic for Tailscale Services from the first moment.
        return make(one, rulesOf({ ...emptyTable, device, refuseUnmapped: true }, one.family), now)
      })
      return orThrow(made).includes(true)
    },

    endFlows: endAll,

    remove: async () => {
      proven.clear()
      // Connections that they still translate would leave unencrypted.
      if (!followsFlows) return
      await endAll()
      // The guard is removed last.
      orThrow(await each(async (one) => write(one, await read(one), noRules, (list) => list.toReversed())))
    },

    overdue: (isGone) => anyOverdue(lingering, isGone),
    invalidate,

    look: async () => {
      const found: string[] = []
      for (const one of iptables) {
        const before = proven.get(one.family)
        if (before === undefined) continue
        const listing = await one.save().catch((error: unknown) => {
          invalidate()
          throw error
        })
        // A change of ours meanwhile has been verified by itself.
        if (proven.get(one.family) !== before || listing === before.listing) continue
        const held = readListing(listing)
        const list = changes(held, before.wanted)
        if (list.length === 0) proven.set(one.family, { ...before, listing, held })
        else found.push(differOnlyInOrder(held, before.wanted) ? '' : `${familyName(one.family)}: ${named(list)}`)
      }
      if (found.length === 0) return undefined
      invalidate()
      return found.filter((text) => text !== '').join('; ')
    },
  }
}

const guard = 'CULVERT-GUARD'

/** The results of the families. */
type Outcome<T> = { readonly results: readonly T[]; readonly failures: readonly unknown[] }

function orThrow<T>({ results, failures }: Outcome<T>): readonly T[] {
  if (failures.length > 0) throw failures[0]
  return results
}

/** An untranslated flow may have begun before its rule existed. */
const mayBeOurs = ({ mark, destination, answeredBy }: Flow): boolean =>
  destination === answeredBy || kindOf(mark) !== undefined

/** The addresses of our flows in a list of all flows. */
function trackedBy(flows: readonly Flow[]): TrackedAddresses {
  const tracked = { own: byFamily(() => new Set<string>()), targets: byFamily(() => new Set<string>()) }
  for (const { family, mark, destination, answeredBy } of flows) {
    const kind = kindOf(mark)
    if (kind === 'ingress') tracked.own[family].add(destination)
    if (kind === 'egress') tracked.targets[family].add(answeredBy)
  }
  return tracked
}

const verificationFailed = (family: Family, list: readonly Change[]): CulvertError =>
  new CulvertError(
    'verification-failed',
    `the kernel does not hold the ${familyName(family)} rules that it has just accepted: ${named(list)}`,
    { remedy: 'Another program is changing the chains of Culvert at the same time; find and stop it.' },
  )
