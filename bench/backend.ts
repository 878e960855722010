import { join } from 'node:path'
import type { BenchBed } from './bench-bed.ts'

export const echoPort = 7000

/** A program that runs in a host. */
export const program = (name: string): string => join(import.meta.dirname, 'programs', name)

/** Starts the client's servers: an echo server, and iperf3 on its default port. */
export async function startBackend(bed: BenchBed): Promise<void> {
  const host = bed.host('backend')
  const echo = await host.spawn([process.execPath, program('echo.ts'), String(echoPort)], { name: 'echo' })
  await echo.line(/^ready$/)
  const iperf = await host.spawn(['iperf3', '--server', '--forceflush'], { name: 'iperf3', quiet: true })
  await iperf.line(/listening/)
}
