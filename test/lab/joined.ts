import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { acmePorts } from './acme/paths.ts'
import { endedEarly, startDaemon } from './hosts/daemon.ts'
import { isAlive, type Proc } from './namespaces/procs.ts'
import { type pathsOf, readRecord } from './namespaces/record.ts'
import { gateway } from './namespaces/addresses.ts'
import { poll } from './poll.ts'

/** Those of the control server and of its DERP relay. */
const ports = [8080, 3340, acmePorts.directory] as const

/**
 * Leads to the control server, relay and certificate authority of another bed where a bed has its own otherwise: all of
 * TCP, so that nodes of both meet by the relay. There is no name server. Gives the programs by the names of their logs.
 */
export async function joinTailnet(
  other: string,
  bed: number,
  paths: ReturnType<typeof pathsOf>,
): Promise<Readonly<Record<string, Proc>>> {
  const there = (await readRecord(other))!.holder!.pid
  const start = async (name: string, holder: number, from: object, to: object): Promise<readonly [string, Proc]> => {
    const log = join(paths.logs, `${name}.log`)
    const argv = [
      process.execPath,
      join(import.meta.dirname, 'programs/relay.ts'),
      ...[from, to].map((end) => JSON.stringify(end)),
    ]
    const program = await startDaemon(holder, argv, { env: {}, log })
    await poll(`the start of ${name}`, async () => {
      if (/^listening$/m.test(await readFile(log, 'utf8'))) return true
      if (!isAlive(program)) throw endedEarly(argv, log)
      return undefined
    })
    return [name, program]
  }
  const started = ports.map(async (port) => {
    const path = join(paths.top, `${port}.sock`)
    return [
      await start(`to-${port}`, there, { path }, { host: gateway('wan').v4, port }),
      await start(`from-${port}`, bed, { port }, { path }),
    ]
  })
  return Object.fromEntries((await Promise.all(started)).flat())
}
