import { join } from 'node:path'
import { readFile } from 'node:fs/promises'
import { gateway } from './namespaces/addresses.ts'
import { isAlive, type Proc } from './namespaces/procs.ts'
import type { pathsOf } from './namespaces/record.ts'
import { endedEarly, startDaemon } from './hosts/daemon.ts'
import { poll } from './poll.ts'

export const domain = 'lab.ts.net'

/**
 * Starts the bed's control server, relay and name server on the bed's own address in `wan`; returns once all listen.
 */
export async function startControl(bed: number, paths: ReturnType<typeof pathsOf>, directory: string): Promise<Proc> {
  const { v4, v6 } = gateway('wan')
  const log = join(paths.logs, 'control.log')
  const argv = [
    join(directory, 'control'),
    '--listen',
    `${v4},${v6}`,
    '--admin',
    paths.controlSocket,
    '--domain',
    domain,
  ]
  const control = await startDaemon(bed, argv, { env: { HOME: '/tmp' }, log })
  await poll('the start of the control server', async () => {
    const output = await readFile(log, 'utf8')
    if (/^ready$/m.test(output)) return true
    if (!isAlive(control)) throw endedEarly(argv, log)
    return undefined
  })
  return control
}
