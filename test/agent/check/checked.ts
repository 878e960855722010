import type { Finding } from '../../../lib/finding.ts'
import type { Host } from '../../lab/bed.ts'
import type { Proxy } from '../proxy.ts'

/** What `culvert check --json` printed, by the ids of findings, and its exit code. */
export type Checked = { readonly code: number; readonly found: ReadonlyMap<string, readonly Finding[]> }

export const read = ({ exitCode, stdout }: { readonly exitCode: number; readonly stdout: string }): Checked => ({
  code: exitCode,
  found: Map.groupBy(JSON.parse(stdout) as readonly Finding[], ({ check }) => check),
})

/** Checks beside a running agent. */
export const checkOf = async (proxy: Proxy, ...args: readonly string[]): Promise<Checked> =>
  read(await proxy.command('check', '--json', ...args))

/** What is wrong, by its ids. */
export const wrong = ({ found }: Checked): string[] =>
  [...found].flatMap(([id, all]) => (all.some(({ level }) => level === 'warning' || level === 'error') ? [id] : []))

export const messages = ({ found }: Checked, id: string): string =>
  (found.get(id) ?? []).map(({ message }) => message).join('\n')

type Fault = readonly [host: Host, hook: 'prerouting' | 'output', what: string]

/** Drops packets in hosts while something is done. */
export async function whileDropping(faults: readonly Fault[], work: () => Promise<void>): Promise<void> {
  for (const [host, hook, what] of faults) {
    const chain = `chain faults { type filter hook ${hook} priority raw; ${what} drop; }`
    await host.exec(['nft', `table inet faults { ${chain}; }`])
  }
  try {
    await work()
  } finally {
    for (const [host] of faults) await host.exec(['nft', 'delete table inet faults'])
  }
}

/** Starts something in a host that reads all it gets, on a port. */
export async function startSink(host: Host, port: number): Promise<void> {
  const program = `require('net').createServer((s) => s.resume().on('error', () => {})).listen(${port}, () => console.log('reads'))`
  const sink = await host.spawn([process.execPath, '-e', program], { name: 'sink' })
  await sink.line(/reads/)
}

/** All is in place, also what readiness does not depend on. */
export const isWell = ({ checks }: Awaited<ReturnType<Proxy['status']>>): boolean =>
  Object.values(checks).every((one) => one?.state === 'ok')
