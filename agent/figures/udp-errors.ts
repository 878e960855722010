import { readFile } from 'node:fs/promises'
import { families, type Family } from '../../lib/address.ts'

/** Why the kernel has dropped datagrams of the Pod, tailscaled's above all, by its own names. */
const reasons = { 'receive-buffer': 'RcvbufErrors', 'send-buffer': 'SndbufErrors', checksum: 'InCsumErrors' } as const

/** How many datagrams the kernel has dropped since the Pod's network exists. */
export type UdpErrors = Readonly<Partial<Record<Family, Readonly<Record<string, number>>>>>

/** Reads the counters of this network namespace; a family that the kernel lacks is absent. `root` prefixes /proc. */
export async function readUdpErrors(root: string): Promise<UdpErrors> {
  const files = { 4: 'snmp', 6: 'snmp6' } as const
  const texts = await Promise.all(
    families.map((family) => readFile(`${root}/proc/self/net/${files[family]}`, 'utf8').catch(() => '')),
  )
  return parseUdpErrors(texts[0] ?? '', texts[1] ?? '')
}

/** `snmp` has a line of names and one of values, `snmp6` a line for each name. */
export function parseUdpErrors(snmp: string, snmp6: string): UdpErrors {
  const [names = [], values = []] = [...snmp.matchAll(/^Udp: (.*)$/gm)].map(([, line = '']) => line.split(' '))
  const of4 = new Map(names.map((name, index) => [name, Number(values[index])]))
  const of6 = new Map([...snmp6.matchAll(/^Udp6(\w+)\s+(\d+)$/gm)].map(([, name = '', value]) => [name, Number(value)]))
  const read = (known: ReadonlyMap<string, number>) =>
    Object.fromEntries(Object.entries(reasons).map(([reason, name]) => [reason, known.get(name) ?? 0]))
  return { ...(of4.size > 0 && { 4: read(of4) }), ...(of6.size > 0 && { 6: read(of6) }) }
}
