import { CulvertError, describe } from '../lib/errors.ts'
import type { Backend, BackendOptions } from './firewall.ts'
import { memoryFirewall } from './memory.ts'
import { nftablesBackend } from './nftables/backend.ts'

export type { Backend, Firewall } from './firewall.ts'
export type { IsGone } from './flows.ts'

export type BackendMode = 'auto' | 'nftables' | 'iptables' | 'memory'

const kinds = [
  { name: 'nftables', start: nftablesBackend, needs: 'nf_tables with NAT, and the image nft' },
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
      const backend = await start(options)
      await backend.firewall.prepare(options.device)
      const because = mode === 'auto' ? [] : [`TS_DEBUG_FIREWALL_MODE is ${mode}`]
      const reason = [...because, backend.reason, ...refused].join('; ')
      options.log(`firewall: ${name}, since ${reason}`)
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

function memory({ families }: BackendOptions): Backend {
  return {
    name: 'memory',
    reason: 'the network is not to be touched',
    families,
    firewall: memoryFirewall(),
    watch: async () => {},
    removeLeftovers: async () => {},
  }
}
