import type { Family } from '../lib/address.ts'
import type { Feed, RunCommand } from '../lib/command.ts'
import type { Log } from '../lib/log.ts'
import type { IsGone } from './flows.ts'
import type { ForwardingTable } from './table.ts'
import type { Traffic } from './traffic.ts'

/** The firewall that forwards in the kernel. */
export type Backend = {
  readonly name: 'nftables' | 'iptables' | 'memory'
  /** Why this one was chosen, for people. */
  readonly reason: string
  /** The address families that it can forward. */
  readonly families: readonly Family[]
  readonly firewall: Firewall
  /**
   * Calls `changed` whenever another program has changed the rules, or may have, until `signal` aborts. Never rejects.
   */
  readonly watch: (changed: () => void, signal: AbortSignal) => Promise<void>
  /** Removes what upstream's agent left in this network namespace, once our own rules are in place. */
  readonly removeLeftovers: () => Promise<void>
  /** Undefined if it cannot count. */
  readonly traffic?: Traffic
}

/** A backend in the kernel. */
export type KernelBackend = Backend & {
  /** Rejects if it cannot be used here. */
  readonly check: () => Promise<unknown>
  /** The kernel's module that picks one of several backends. */
  readonly spreadModule: string
  /** Checks that the rules of a table can be created here. */
  readonly probe: (table: ForwardingTable) => Promise<void>
}

export type BackendOptions = {
  readonly run: RunCommand
  readonly runAhead: (program: string, args: readonly string[]) => Feed
  /** The address families that the kernel supports in this network namespace. */
  readonly families: readonly Family[]
  /** Whether an address will have several backends; otherwise it may have them later. */
  readonly several: boolean
  /** The Pod's own addresses. */
  readonly localAddresses: () => readonly string[]
  /** The name of the tunnel's device. */
  readonly device: string
  readonly log: Log
}

/** Keeps the forwarding table in the kernel. Calls must not overlap, except for `endFlows`. */
export type Firewall = {
  /**
   * Makes the kernel hold `table`, and verifies that by reading back. Writes nothing when it holds it already.
   * Established flows go on while their translation stays; when it goes, `classifyFlows` in flows.ts decides which do.
   * @param isGone which addresses have left the tailnet, as of when the table was planned.
   * @returns whether the kernel had to be changed.
   * @throws CulvertError `netfilter`, or `verification-failed` when it was read back otherwise; after the first the
   *   kernel then still holds the previous rules, since each change is one transaction.
   */
  readonly ensure: (table: ForwardingTable, isGone: IsGone) => Promise<boolean>
  /**
   * Before the first table is known: ensures that connection tracking runs and that nothing leaves in the clear. A
   * table of an earlier container in this network namespace stays, so that its flows continue.
   * @param device the name of the tunnel's device.
   * @returns whether there was none.
   */
  readonly prepare: (device: string) => Promise<boolean>
  /** Ends all translated flows with a reset, while new ones may begin. Gives how many connections were open. */
  readonly endFlows: () => Promise<number>
  /**
   * Ends all translated flows and deletes the table. Flows first: without rules their packets would leave in the clear.
   */
  readonly remove: () => Promise<void>
  /** Whether flows linger at an address that has left the tailnet: the next `ensure` ends them. */
  readonly overdue: (isGone: IsGone) => boolean
  /** The known state may be wrong: the next `ensure` reads the whole table. */
  readonly invalidate: () => void
}
