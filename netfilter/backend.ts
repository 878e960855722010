import type { Feed, RunCommand } from '../lib/command.ts'
import { CulvertError } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import type { Firewall } from './firewall.ts'
import { removeLeftovers } from './leftovers/remove.ts'
import { memoryFirewall } from './memory.ts'
import { keeper } from './nftables/keeper.ts'
import { watchTable } from './nftables/monitor.ts'
import { announceNothing, applyInput, nftables, probeNftables } from './nftables/nftables.ts'
import { tableName } from './nftables/render.ts'

export type { Firewall } from './firewall.ts'
export type { IsGone } from './flows.ts'

/** The firewall that forwards in the kernel. */
export type Backend = {
  readonly name: 'nftables' | 'memory'
  readonly firewall: Firewall
  /**
   * Calls `changed` whenever another program has changed the rules, or may have, until `signal` aborts. Never rejects.
   */
  readonly watch: (changed: () => void, signal: AbortSignal) => Promise<void>
  /** Removes what upstream's agent left in this network namespace, once our own rules are in place. */
  readonly removeLeftovers: () => Promise<void>
}

export type BackendMode = 'auto' | 'nftables' | 'iptables' | 'memory'

export type BackendOptions = {
  readonly run: RunCommand
  readonly runAhead: (program: string, args: readonly string[]) => Feed
  /** The Pod's own addresses. */
  readonly localAddresses: () => readonly string[]
  readonly log: Log
}

/**
 * Chooses a backend and checks that it works here. `memory` only stores the rules and runs no program.
 * @throws CulvertError `settings` for a backend that this version lacks; `privilege` when it cannot be used here.
 */
export async function chooseBackend(mode: BackendMode, options: BackendOptions): Promise<Backend> {
  if (mode === 'memory') return memory()
  if (mode === 'iptables') {
    throw new CulvertError(
      'settings',
      'TS_DEBUG_FIREWALL_MODE=iptables: this version of Culvert forwards with nftables only',
      {
        remedy: 'Set it to nftables or auto, which is the default.',
      },
    )
  }
  return nftablesBackend(options)
}

async function nftablesBackend({ run, runAhead, localAddresses, log }: BackendOptions): Promise<Backend> {
  const nft = nftables(run, runAhead('nft', applyInput))
  try {
    await probeNftables(nft)
  } catch (error) {
    throw new CulvertError('privilege', 'nftables cannot be used in this network namespace', {
      cause: error,
      remedy:
        'The node’s kernel needs nf_tables with NAT, and the image nft: this version of Culvert forwards with nothing ' +
        'else, also where iptables works.',
    })
  }
  log('firewall: nftables, since its rules could be made and deleted here')
  let changed = (_by?: string): void => {}
  const { listener, ...firewall } = keeper({ nft, run, localAddresses, changed: (by) => changed(by) })
  return {
    name: 'nftables',
    firewall,
    watch: (look, signal) => {
      changed = (by) => {
        if (by !== undefined) log(`the table inet ${tableName} was changed by ${by}: looking what is left of it`)
        look()
      }
      return watchTable(saying(listener, log), { announce: () => announceNothing(nft) }, signal)
    },
    removeLeftovers: async () => {
      await removeLeftovers(run, log)
    },
  }
}

/** Logs why a monitor ended, once per reason until another one has begun. */
function saying(listener: Parameters<typeof watchTable>[0], log: Log): typeof listener {
  let said: string | undefined
  return {
    ...listener,
    begun: () => {
      said = undefined
      listener.begun()
    },
    ended: (why) => {
      if (why !== undefined && why !== said) log(`warning: nft monitor ended (${why}); it is started again`)
      said = why
      listener.ended(why)
    },
  }
}

function memory(): Backend {
  return {
    name: 'memory',
    firewall: memoryFirewall(),
    watch: async () => {},
    removeLeftovers: async () => {},
  }
}
