import type { Host } from '../../test/lab/hosts/host.ts'
import { program } from '../backend.ts'
import { now } from '../serve/watch.ts'

/** Milliseconds since the beginning of a change, and the time in milliseconds since 1970. */
export type Arrival = { readonly took: number; readonly at: number }

/** When a connection from a host to an address is accepted, which was refused before `change`. */
export async function arrivalAfter(
  from: Host,
  to: { readonly to: string; readonly port: number },
  change: () => Promise<void>,
): Promise<Arrival> {
  const client = await from.spawn([process.execPath, program('arrive.ts'), JSON.stringify(to)], { name: 'arrive' })
  try {
    await client.line(/^refused$/)
    const begun = now()
    await change()
    const at = Number((await client.line(/^[\d.]+$/))[0])
    return { took: at - begun, at }
  } finally {
    await client.stop()
  }
}
