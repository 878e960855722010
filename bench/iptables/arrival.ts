import type { Host } from '../../test/lab/hosts/host.ts'
import { program } from '../backend.ts'
import { now } from '../serve/watch.ts'

/**
 * Milliseconds from the beginning of `change` until a connection from a host to an address is accepted, which was
 * refused before.
 */
export async function arrivalAfter(
  from: Host,
  to: { readonly to: string; readonly port: number },
  change: () => Promise<void>,
): Promise<number> {
  const client = await from.spawn([process.execPath, program('arrive.ts'), JSON.stringify(to)], { name: 'arrive' })
  try {
    await client.line(/^refused$/)
    const begun = now()
    await change()
    const [at] = await client.line(/^[\d.]+$/)
    return Number(at) - begun
  } finally {
    await client.stop()
  }
}
