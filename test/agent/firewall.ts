import type { Host } from '../lab/hosts/host.ts'
import type { FirewallName } from '../netfilter/firewalls.ts'

/** The firewall of the agents in these tests; projects in vitest.config.ts run the same tests with another one. */
export const firewall = (process.env['CULVERT_TEST_FIREWALL'] ?? 'nftables') as FirewallName

/** The environment with which an agent in a host uses a firewall. */
export async function firewallEnv(host: Host, name: FirewallName = firewall): Promise<Record<string, string>> {
  if (name === 'nftables') return {}
  if (name === 'iptables-nft') return { TS_DEBUG_FIREWALL_MODE: 'iptables' }
  return without(host, [...nfTables], { iptables: 'iptables-legacy', ip6tables: 'ip6tables-legacy' })
}

/** The rules of an agent in a host, without counters, but with handles if there are any. */
export async function listRules(host: Host, name: FirewallName = firewall): Promise<string> {
  if (name === 'nftables') return (await host.exec(['nft', '-a', 'list', 'table', 'inet', 'culvert'])).stdout
  const listings = [name, name.replace('ip', 'ip6')].map((program) => host.exec([`${program}-save`]))
  const lines = (await Promise.all(listings)).flatMap(({ stdout }) => stdout.split('\n'))
  return lines.filter((line) => line.startsWith('-A') && line.includes('CULVERT-')).join('\n')
}

/** Another program that changes the rules of an agent. */
export type Interference = {
  /** Deletes the rules; the agent must restore them. */
  readonly deleteRules: () => Promise<void>
  /** Whether the guard is in place. */
  readonly guarded: () => Promise<boolean>
  readonly emptyGuard: () => Promise<void>
}

export function interferenceOf(host: Host, name: FirewallName = firewall): Interference {
  if (name === 'nftables') {
    const nft = (...words: string[]) => host.exec(['nft', ...words])
    return {
      // Also while they are not back from the last time.
      deleteRules: async () => void (await nft('add table inet culvert; delete table inet culvert')),
      guarded: () =>
        nft('list', 'chain', 'inet', 'culvert', 'guard').then(
          () => true,
          () => false,
        ),
      emptyGuard: async () => void (await nft('flush', 'chain', 'inet', 'culvert', 'guard')),
    }
  }
  const programs = [name, name.replace('ip', 'ip6')]
  const both = async (words: string): Promise<string[]> => {
    const outputs: string[] = []
    for (const program of programs) outputs.push((await host.exec([program, '-w', ...words.split(' ')])).stdout)
    return outputs
  }
  return {
    deleteRules: async () => {
      await both('-t nat -F PREROUTING')
      await both('-t mangle -F POSTROUTING')
    },
    guarded: async () => (await both('-t mangle -S POSTROUTING')).every((rules) => rules.includes('-j CULVERT-GUARD')),
    emptyGuard: async () => void (await both('-t mangle -F CULVERT-GUARD')),
  }
}

/** The programs that fail on a node whose kernel lacks nf_tables. */
export const nfTables = [
  'nft',
  'iptables-nft-restore',
  'ip6tables-nft-restore',
  'iptables-nft-save',
  'ip6tables-nft-save',
]

/**
 * Makes these programs fail in a host as if the kernel lacked what they need; `instead` replaces programs by
 * others.
 */
export async function without(
  host: Host,
  programs: readonly string[],
  instead: Readonly<Record<string, string>> = {},
): Promise<Record<string, string>> {
  const folder = '/tmp/programs'
  await host.exec(['rm', '-rf', folder])
  await host.exec(['mkdir', folder])
  for (const program of programs) {
    const input = `#!/bin/sh\necho "${program}: Failed to initialize nft: Protocol not supported" >&2\nexit 3\n`
    await host.exec(['sh', '-c', 'cat > "$0" && chmod +x "$0"', `${folder}/${program}`], { input })
  }
  for (const [name, other] of Object.entries(instead)) {
    await host.exec(['sh', '-c', 'ln -s "$(command -v "$0")" "$1"', other, `${folder}/${name}`])
  }
  return { PATH: `${folder}:${host.env()['PATH']}` }
}
