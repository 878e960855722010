import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isAlive } from '../namespaces/procs.ts'
import { pathsOf, updateRecord } from '../namespaces/record.ts'
import { endedEarly, startDaemon } from '../hosts/daemon.ts'
import type { Host } from '../hosts/host.ts'
import { poll } from '../poll.ts'

/**
 * Starts a program in a host that runs as long as the bed, and waits until it printed a line that matches. Its log is
 * among the bed's, as `<host>.<name>.log`. Throws when it ends first.
 */
export async function startAndAwait(
  bed: string,
  host: Host,
  program: { name: string; argv: readonly string[]; env: Record<string, string>; line: RegExp },
  note: (lastLine: string) => void = () => undefined,
): Promise<void> {
  const log = join(pathsOf(bed).logs, `${host.name}.${program.name}.log`)
  const daemon = await startDaemon(host.pid, program.argv, { env: host.env(program.env), log })
  const others = { [`${host.name}.${program.name}`]: daemon }
  await updateRecord(bed, (record) => ({ ...record, others: { ...record.others, ...others } }))
  await poll(
    `${program.name}: a line like ${String(program.line)}`,
    async () => {
      const lines = (await readFile(log, 'utf8')).trim().split('\n')
      note((lines.at(-1) ?? '').slice(0, 90))
      if (lines.some((line) => program.line.test(line))) return true
      if (!isAlive(daemon)) throw endedEarly(program.argv, log)
      return undefined
    },
    20,
  )
}
