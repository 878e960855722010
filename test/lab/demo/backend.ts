import { isIPv6 } from 'node:net'
import { join } from 'node:path'
import type { Bed } from '../bed.ts'
import { startAndAwait } from './daemon.ts'

/** Starts an echo service in the backend host; returns its addresses. */
export async function startBackend(bed: Bed<'client' | 'proxy' | 'backend'>): Promise<{ v4: string; v6: string }> {
  const host = bed.host('backend')
  const program = join(import.meta.dirname, '../traffic/programs/echo.ts')
  const argv = [process.execPath, program, host.name, '7000']
  await startAndAwait(bed.name, host, { name: 'echo', argv, env: {}, line: /^ready$/ })
  return both(host.address)
}

export function both({ v4, v6 }: { v4: string | undefined; v6: string | undefined }): { v4: string; v6: string } {
  if (v4 === undefined || v6 === undefined) throw new Error(`both families are needed, but there is ${v4 ?? v6}`)
  return { v4, v6 }
}

/** The addresses of a list with one of each family. */
export const byFamily = (addresses: readonly string[]): { v4: string; v6: string } =>
  both({ v4: addresses.find((one) => !isIPv6(one)), v6: addresses.find((one) => isIPv6(one)) })
