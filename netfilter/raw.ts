import { type RunCommand, runCommand } from '../lib/command.ts'
import type { Backend } from './firewall.ts'
import { tableName } from './nftables/render.ts'

const listings: Readonly<Record<Backend['name'], readonly (readonly string[])[]>> = {
  nftables: [['nft', 'list', 'table', 'inet', tableName]],
  // Which variant is in use differs between families; the other one has nothing of ours.
  iptables: ['iptables-nft', 'ip6tables-nft', 'iptables-legacy', 'ip6tables-legacy'].map((program) => [
    `${program}-save`,
  ]),
  memory: [],
}

/**
 * The rules in the firewall’s own words: of nftables the agent’s table, of iptables all tables.
 * @throws CommandError if no program could list any.
 */
export async function rawRules(firewall: Backend['name'], run: RunCommand = runCommand): Promise<string> {
  const results = await Promise.allSettled(listings[firewall].map(([program = '', ...args]) => run(program, args)))
  const [failure] = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []))
  const texts = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  if (texts.length === 0 && failure !== undefined) throw failure
  return texts.join('')
}
