import { randomBytes } from 'node:crypto'
import { lines } from '../lib/lines.ts'
import { CulvertError } from '../lib/errors.ts'
import { type Program, type StartProgram, startProgram } from '../lib/program.ts'
import { sleep } from '../lib/timers.ts'
import type { Address } from '../lib/address.ts'
import type { Protocol } from './port-ranges.ts'

/** The packets to follow. */
export type Followed = { readonly protocol: Protocol; readonly address: Address; readonly port: number }

/** Packets a second that are followed: more nobody reads. */
const rate = 5
const maxLineBytes = 64 * 1024

/**
 * Shows the way of packets through the kernel's rules, of all tables: calls `tell` with each line of `nft monitor`
 * about them, until `signal` aborts, and `begun` once none is missed any more. The packets are marked in a table of its
 * own, which the kernel removes when this process ends, however that happens. Rules of iptables-legacy are not shown.
 * @throws CulvertError `netfilter` if nft cannot do that here
 */
export async function followPackets(
  followed: Followed,
  { tell, begun }: { readonly tell: (line: string) => void; readonly begun: () => void },
  signal: AbortSignal,
  start: StartProgram = startProgram,
): Promise<void> {
  const over = new AbortController()
  const ending = AbortSignal.any([signal, over.signal])
  const options = { output: 'pipe', signal: ending, endWith: 'SIGKILL' } as const
  const monitor = start('nft', ['monitor'], options)
  // It owns the table, which ends with it: by the signal, or since its input ends with this process.
  const owner = start('nft', ['-i'], { ...options, input: 'pipe' })
  const failed = Promise.race([failureOf(monitor, ending), failureOf(owner, ending)])
  owner.stdin?.on('error', () => {})
  // Others may do the same in this network namespace.
  const table = `culvert-trace-${randomBytes(4).toString('hex')}`
  owner.stdin?.write(`${markingTable(table, followed).join('\n')}\n`)
  const heard = new AbortController()
  const read = async (): Promise<void> => {
    if (monitor.stdout === null) return
    for await (const line of lines(monitor.stdout, maxLineBytes)) {
      if (line.includes(`${table} tick`)) heard.abort()
      else if (line.startsWith('trace id ')) tell(line)
    }
  }
  const reading = read().catch(() => {})
  try {
    const beginning = AbortSignal.any([ending, heard.signal])
    const announce = async (): Promise<void> => {
      // What the monitor announces of this table shows that it has begun, and that the table is there.
      while (!beginning.aborted) {
        owner.stdin?.write(`add chain inet ${table} tick\ndelete chain inet ${table} tick\n`)
        await sleep(100, beginning)
      }
      if (!ending.aborted) begun()
      await sleep(2 ** 31 - 1, ending)
    }
    await Promise.race([announce(), failed])
  } finally {
    over.abort()
    await Promise.all([monitor.ended, owner.ended, reading])
  }
}

/** The commands that mark packets, before all other rules. */
function markingTable(table: string, { protocol, address, port }: Followed): readonly string[] {
  const what = `${address.family === 4 ? 'ip' : 'ip6'} daddr ${address.text} ${protocol} dport ${port}`
  const mark = `${what} limit rate ${rate}/second meta nftrace set 1`
  return [
    `add table inet ${table} { flags owner; }`,
    ...(['prerouting', 'output'] as const).flatMap((hook) => [
      `add chain inet ${table} ${hook} { type filter hook ${hook} priority -400; }`,
      `add rule inet ${table} ${hook} ${mark}`,
    ]),
  ]
}

/** Rejects when a program ends by itself, or complains, with what it said. */
async function failureOf({ stderr, ended }: Program, signal: AbortSignal): Promise<never> {
  let said = ''
  const complained = new Promise<void>((resolve) => {
    stderr?.on('data', (part: Buffer) => {
      said += part.toString()
      resolve()
    })
  })
  const ending = await Promise.race([ended, complained])
  if (signal.aborted) return new Promise<never>(() => {})
  const cause = ending !== undefined && 'unstarted' in ending ? ending.unstarted : undefined
  throw new CulvertError('netfilter', `packets cannot be followed here: nft ${said.trim().slice(0, 500) || 'ended'}`, {
    remedy: 'It needs NET_ADMIN, nf_tables in the kernel (Linux 5.12 or later), and nft in the image.',
    ...(cause !== undefined && { cause }),
  })
}
