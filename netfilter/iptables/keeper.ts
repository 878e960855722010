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
import { type Change, changes, named, noRules, renderChanges } from './changes.ts'
import type { Iptables } from './iptables.ts'
import { type Held, readListing } from './listing.ts'
import { kindOf, type Rules, rulesOf } from './rules.ts'

export type KeeperOptions = {
  /** Of the families that can be used here. */
  readonly iptables: readonly Iptables[]
  readonly run: RunCommand
  /** Whether the kernel lets connections be listed and ended. If not, they go on as they began. */
  readonly followsFlows: boolean
  /** The Pod's own addresses. */
  readonly localAddresses: () => readonly string[]
}

/** Keeps the forwarding table in the kernel, by iptables. */
export type Keeper = Firewall & {
  /**
   * Looks whether the kernel still holds what was verified last, and gives what differs; undefined if nothing does, or
   * if nothing has been verified that could differ.
   */
  readonly look: () => Promise<string | undefined>
}

/** What the kernel holds of a family. */
type Reading = { readonly listing: string; readonly held: Held }

async function read(one: Iptables): Promise<Reading> {
  const listing = await one.save()
  return { listing, held: readListing(listing) }
}

/** More than one attempt fails only where another program changes our rules at the same time. */
const attempts = 2

/**
 * Makes the kernel hold these rules, from what it held, and gives what it then holds.
 * @throws CulvertError `verification-failed` when that is something else.
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
  /** What was verified last, by family. */
  const proven = new Map<Family, Reading & { readonly wanted: Rules }>()
  /** Counts invalidations, so that one during an attempt is not lost at its end. */
  let invalidations = 0
  let lingering: TrackedAddresses = noLingering
  /** Whether flows were judged by the rules that were verified last. */
  let settled = false

  /** Makes the kernel hold these rules, and gives whether it had to be changed. */
  const make = async (one: Iptables, wanted: Rules): Promise<boolean> => {
    const since = invalidations
    const before = proven.get(one.family) ?? (await read(one))
    // Not known while it is being changed, nor after a failure.
    proven.delete(one.family)
    const now = await write(one, before, wanted)
    if (invalidations === since) proven.set(one.family, { ...now, wanted })
    return now !== before
  }

  /** Each family, whatever becomes of the other, one after the other, since they have one lock. */
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

  /** Ends the flows that cannot go on by the rules of this table. */
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
      // A failure may come after a change that flows are to be judged by.
      const due = !settled || anyLingering(lingering)
      settled = false
      const made = await each((one) => make(one, rules[one.family]))
      const changed = made.results.includes(true)
      // No new flow uses the old rules any more, and the guard knows the old flows by their marks.
      if (changed || due) lingering = (await settle(table, isGone)).lingering
      orThrow(made)
      settled = true
      return changed
    },

    prepare: async (device) => {
      const made = await each(async (one) => {
        const { held } = await read(one)
        if (held.mangle.jumps.some(({ to }) => to === guard)) return false
        // A returning node may get traffic for Tailscale Services from the first moment.
        return make(one, rulesOf({ ...emptyTable, device, refuseUnmapped: true }, one.family))
      })
      return orThrow(made).includes(true)
    },

    endFlows: endAll,

    remove: async () => {
      proven.clear()
      // What they still translate would leave in the clear.
      if (!followsFlows) return
      await endAll()
      // The guard goes last.
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
        // What we were changing meanwhile was verified by that.
        if (proven.get(one.family) !== before || listing === before.listing) continue
        const held = readListing(listing)
        const list = changes(held, before.wanted)
        if (list.length === 0) proven.set(one.family, { ...before, listing, held })
        else found.push(`${familyName(one.family)}: ${named(list)}`)
      }
      if (found.length === 0) return undefined
      invalidate()
      return found.join('; ')
    },
  }
}

const guard = 'CULVERT-GUARD'

/** What came of the work at each family. */
type Outcome<T> = { readonly results: readonly T[]; readonly failures: readonly unknown[] }

function orThrow<T>({ results, failures }: Outcome<T>): readonly T[] {
  if (failures.length > 0) throw failures[0]
  return results
}

/** Without translation a flow may be one that began before its translation was there. */
const mayBeOurs = ({ mark, destination, answeredBy }: Flow): boolean =>
  destination === answeredBy || kindOf(mark) !== undefined

/** The addresses by which flows of ours are recognised in a list of all. */
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
