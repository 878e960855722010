import type { RunCommand } from '../lib/command.ts'
import { CulvertError } from '../lib/errors.ts'
import { families } from '../lib/address.ts'
import { endTranslatedFlows, endUntranslatedFlows } from './conntrack.ts'
import type { Nftables } from './nftables/nftables.ts'
import type { ReadBack } from './nftables/read-back.ts'
import { outline, renderElements, renderTable, tableName } from './nftables/render.ts'
import { emptyTable, type ForwardingTable, removedTranslations, translations } from './table.ts'

export type Firewall = {
  /**
   * Makes the kernel hold `table` and proves it by reading back. Writes nothing when it does already. Established flows
   * go on where their translation stays, and end where it goes.
   * @returns whether the kernel had to be changed.
   * @throws CulvertError `netfilter`; the kernel then holds the former rules, since each change is one transaction.
   */
  readonly ensure: (table: ForwardingTable) => Promise<boolean>
  /**
   * Before the first table is known: makes sure that connection tracking runs and that nothing leaves in the clear. A
   * table that an earlier container left in this network namespace stays, so that its flows go on.
   * @returns whether there was none.
   */
  readonly prepare: () => Promise<boolean>
  /** Ends all translated flows and deletes the table. Flows first: without rules their packets would leave in the clear. */
  readonly remove: () => Promise<void>
}

/** The forwarding table in the kernel, by nftables. Calls must not overlap. */
export function firewall(nft: Nftables, run: RunCommand): Firewall {
  /** The rules' listing right after we loaded them, by whether they masquerade: equal means untouched since. */
  const loaded = new Map<boolean, string>()

  const untouched = (now: ReadBack | undefined, { masquerade }: ForwardingTable): now is ReadBack =>
    now !== undefined && now.skeleton === loaded.get(masquerade)

  const replace = async (table: ForwardingTable): Promise<void> => {
    await nft.load(renderTable(table))
    const now = await nft.list()
    if (now === undefined || now.outline.join('\n') !== outline(table).join('\n') || !holds(now, table)) throw notHeld()
    loaded.set(table.masquerade, now.skeleton)
  }

  const change = async (before: ReadBack, table: ForwardingTable): Promise<void> => {
    await nft.load(renderElements(contentOf(before, table.masquerade), table))
    const now = await nft.list()
    if (!untouched(now, table) || !holds(now, table)) throw notHeld()
  }

  return {
    ensure: async (table) => {
      const before = await nft.list()
      if (untouched(before, table) && holds(before, table)) return false
      const content = before === undefined ? emptyTable : contentOf(before, table.masquerade)
      const removed = removedTranslations(content, table)
      const added = removedTranslations(table, content)
      // Before, while the guard still covers them; and after, for those that began in between.
      await endTranslatedFlows(run, removed)
      if (untouched(before, table) && consistent(before)) await change(before, table)
      else await replace(table)
      await endTranslatedFlows(run, removed)
      await endUntranslatedFlows(run, added)
      return true
    },

    prepare: async () => {
      if ((await nft.list()) !== undefined) return false
      await nft.load(renderTable(emptyTable))
      return true
    },

    remove: async () => {
      const before = await nft.list()
      if (before === undefined) return
      await endTranslatedFlows(run, [...translations(contentOf(before, true))])
      await nft.load(`delete table inet ${tableName}\n`)
    },
  }
}

const notHeld = (): CulvertError =>
  new CulvertError('netfilter', 'the kernel does not hold the rules that it has just accepted', {
    remedy: 'Another program is changing the table inet culvert at the same time; find and stop it.',
  })

const contentOf = ({ ingress }: ReadBack, masquerade: boolean): ForwardingTable => ({ ingress, masquerade })

/** Whether each translation has its own address in the guard's set, and the set no other. */
const consistent = ({ own, ingress }: ReadBack): boolean =>
  families.every(
    (family) =>
      own[family].size === ingress[family].size && [...ingress[family].keys()].every((key) => own[family].has(key)),
  )

const holds = (now: ReadBack, table: ForwardingTable): boolean =>
  consistent(now) && renderElements(contentOf(now, table.masquerade), table) === ''
