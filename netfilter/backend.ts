import { families, type Family } from '../lib/address.ts'
import { CulvertError, describe } from '../lib/errors.ts'
import type { Backend, BackendOptions, Firewall, KernelBackend } from './firewall.ts'
import { memoryFirewall } from './memory.ts'
import { nftablesBackend } from './nftables/backend.ts'
import { everything, spreading } from './probes.ts'
import { spreadOf } from './spread.ts'
import type { ForwardingTable } from './table.ts'
import { events } from './log-events.ts'

export type { Backend, BackendOptions, Firewall } from './firewall.ts'
export type { IsGone } from './flows.ts'

export type BackendMode = 'auto' | 'nftables' | 'iptables' | 'memory'

const kinds = [
  {
    name: 'nftables',
    start: nftablesBackend,
    needs: 'nf_tables with NAT and nf_conntrack_netlink, and the image nft and conntrack',
  },
  {
    name: 'iptables',
    // Imported on demand: most agents do without.
    start: async (options: BackendOptions) => (await import('./iptables/backend.ts')).iptablesBackend(options),
    needs: 'nf_tables or ip_tables with NAT and their usual matches, and the image iptables',
  },
] as const

/**
 * Chooses a backend that works here, and puts the guard in place: nftables, otherwise iptables, unless `mode` names one.
 * `memory` only stores the rules and runs no program.
 * @throws CulvertError `privilege`, with the error of each, if none can be used here.
 */
export async function chooseBackend(mode: BackendMode, options: BackendOptions): Promise<Backend> {
  if (mode === 'memory') return memory(options)
  const refused: string[] = []
  for (const { name, start } of kinds) {
    if (mode !== 'auto' && mode !== name) continue
    try {
      const backend = await guarded(await start(options), options)
      const because = mode === 'auto' ? [] : [`TS_DEBUG_FIREWALL_MODE is ${mode}`]
      const reason = [...because, backend.reason, ...refused].join('; ')
      options.log(events.chosen({ firewall: name, reason }))
      return { ...backend, reason }
    } catch (error) {
      refused.push(`${name} cannot be used: ${describe(error)}`)
    }
  }
  const needs = kinds.filter(({ name }) => mode === 'auto' || mode === name).map((kind) => kind.needs)
  throw new CulvertError('privilege', `no firewall in this network namespace: ${refused.join('; ')}`, {
    remedy: `The node’s kernel needs ${needs.join(', or ')}.`,
  })
}

/** What can be used of a firewall here. */
export type Probed = {
  readonly name: (typeof kinds)[number]['name']
  /** Why it cannot be used at all. */
  readonly refused?: unknown
  /** Why it cannot have several backends of an address. */
  readonly lacks?: CulvertError
}

/** Tries what each firewall needs, by rules that are made and deleted under another name; changes nothing. */
export async function probeFirewalls(options: BackendOptions): Promise<readonly Probed[]> {
  const probed: Probed[] = []
  for (const { name, start } of kinds) {
    try {
      const backend = await start(options)
      await backend.check()
      const lacks = await lackingSpread(backend)
      probed.push({ name, ...(lacks && { lacks }) })
    } catch (refused) {
      probed.push({ name, refused })
    }
  }
  return probed
}

/** Puts the guard in place while the backend is checked, since both wait for the kernel. */
async function guarded(backend: KernelBackend, { device, several }: BackendOptions): Promise<Backend> {
  const { firewall } = backend
  const guard = firewall.prepare(device)
  try {
    const [checked] = await Promise.all([withSpread(backend, several), guard])
    return checked
  } catch (error) {
    if (await guard.catch(() => false)) await firewall.remove().catch(() => {})
    throw error
  }
}

/**
 * Checks that this backend can be used, and have several backends of an address if they are needed now; if they are
 * needed later and refused, names the module.
 */
async function withSpread(backend: KernelBackend, several: boolean): Promise<Backend> {
  const { firewall, check, probe: _probe, spreadModule: _module, ...rest } = backend
  await check()
  const lacking = () => lackingSpread(backend)
  const missing = several ? await lacking() : undefined
  if (missing !== undefined) throw missing
  const ensure: Firewall['ensure'] = async (table, isGone) => {
    try {
      return await firewall.ensure(table, isGone)
    } catch (error) {
      throw (families.some((family) => spreads(table, family)) ? await lacking() : undefined) ?? error
    }
  }
  return { ...rest, firewall: { ...firewall, ensure } }
}

/** The error if it cannot have several backends, although all else works. */
async function lackingSpread({ probe, spreadModule }: KernelBackend): Promise<CulvertError | undefined> {
  const works = (table: ForwardingTable): Promise<boolean> =>
    probe(table).then(
      () => true,
      () => false,
    )
  if ((await works(spreading)) || !(await works(everything))) return undefined
  return new CulvertError('netfilter', `several backends need ${spreadModule}, which the kernel lacks`, {
    remedy: `Load ${spreadModule} on the node, or name one backend of each family.`,
  })
}

/** Whether a table has several backends. */
const spreads = ({ ingress, ingressByPort }: ForwardingTable, family: Family): boolean =>
  spreadOf(ingress[family]).several.length > 0 || (ingressByPort[family]?.backends.length ?? 0) > 1

function memory(options: BackendOptions): Backend {
  return {
    name: 'memory',
    reason: 'the network is not to be touched',
    families: options.families,
    firewall: memoryFirewall(),
    watch: async () => {},
    removeLeftovers: async () => {},
  }
}
